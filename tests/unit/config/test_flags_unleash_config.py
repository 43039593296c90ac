"""`provider: unleash` in a configuration file."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsconsole.config.load import read_config
from opsconsole.config.schema import Authorization, FlagsConfig
from opsconsole.errors import ConfigError


def read(tmp_path: Path, *lines: str) -> FlagsConfig:
    file = tmp_path / "c.yaml"
    file.write_text(
        "contexts:\n  a:\n    flags:\n      provider: unleash\n" + "".join(f"      {line}\n" for line in lines)
    )
    flags = read_config(file, tmp_path).contexts["a"].flags
    assert flags is not None
    return flags


def test_the_token_is_sent_bare_and_the_usual_places_are_meant(tmp_path: Path) -> None:
    flags = read(tmp_path, "url: https://u.example/base/", "token_file: ~/token", "timeout: 3s")
    assert (flags.project, flags.environment) == ("default", "production")
    assert flags.endpoint is not None
    assert flags.endpoint.url == "https://u.example/base"
    assert flags.endpoint.http.timeout == 3.0
    assert flags.endpoint.http.authorization == Authorization(type="", credentials_file=tmp_path / "token")


def test_other_places(tmp_path: Path) -> None:
    flags = read(tmp_path, "url: http://u", "token_command: [pass, u]", "project: shop", "environment: eu-prod")
    assert (flags.project, flags.environment) == ("shop", "eu-prod")
    assert flags.endpoint is not None
    assert flags.endpoint.http.authorization == Authorization(type="", credentials_command=("pass", "u"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("token_file: t",), "contexts.a.flags.url: is missing"),
        (("url: http://u",), "needs token_file or token_command"),
        (("url: http://u", "token: hunter2"), "token_file or token_command"),
        (("url: http://u", "token_file: t", "enviroment: x"), "did you mean environment?"),
        (("url: http://u", "token_file: t", "path: x"), "contexts.a.flags.path: is not a known key"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, *lines)
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)
