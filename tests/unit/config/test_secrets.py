"""Secrets are read when needed, from files for the owner's eyes only or from commands, and never told."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from opsconsole.config.secrets import MAX_SECRET, read_secret
from opsconsole.errors import ConfigError


def secret_file(tmp_path: Path, content: bytes = b"hunter2\n", mode: int = 0o600) -> Path:
    file = tmp_path / "secret"
    file.write_bytes(content)
    file.chmod(mode)
    return file


def refusal(**source: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read_secret(**source)  # type: ignore[arg-type]  # keywords of the test
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    return caught.value


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_the_owner_is_read_without_white_space_around(tmp_path: Path, mode: int) -> None:
    assert read_secret(file=secret_file(tmp_path, b"  hunter2 \n", mode)) == "hunter2"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = secret_file(tmp_path, mode=mode)
    error = refusal(file=file)
    assert str(error).startswith(f"{file}: others can read this secret (mode {mode:04o})")
    assert error.hint == f"chmod 600 {file}"
    assert read_secret(file=file, private=False) == "hunter2"


def test_a_symlink_is_judged_by_what_it_points_to(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(secret_file(tmp_path, mode=0o644))
    assert "others can read" in str(refusal(file=link))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the secret is empty"),
        (b" \n", "the secret is empty"),
        (b"hunter2\nX-Evil: 1", "the secret has a line break or control character in it"),
        (b"hunter2\x00", "the secret has a line break or control character in it"),
        (b"hunter2\xff", "the secret is not UTF-8 text"),
        (b"h" * (MAX_SECRET + 1), "more than 64 KB: not a secret"),
    ],
)
def test_what_cannot_be_a_secret(tmp_path: Path, content: bytes, message: str) -> None:
    assert message in str(refusal(file=secret_file(tmp_path, content)))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "cannot read the secret: No such file or directory" in str(refusal(file=tmp_path / "none"))
    assert "cannot read the secret: Is a directory" in str(refusal(file=tmp_path))
    assert "not a usable path" in str(refusal(file=Path("a\0b")))


def test_a_command_prints_the_secret_without_a_shell() -> None:
    assert read_secret(command=["printf", "%s", "$HOME;x"]) == "$HOME;x"


def test_a_command_that_fails_tells_neither_output_nor_arguments() -> None:
    script = "import sys; print('hunter2'); print('hunter2', file=sys.stderr); sys.exit(3)"
    error = refusal(command=[sys.executable, "-c", script])
    assert f"{sys.executable}: the command ended with status 3" in str(error)
    assert "cannot run the command: No such file" in str(refusal(command=["/none/such"]))


def test_a_command_that_hangs_is_ended_with_its_children() -> None:
    start = time.monotonic()
    error = refusal(command=["sh", "-c", "sleep 60 & sleep 60"], timeout=0.2)
    assert "gave no secret within 0.2 s" in str(error)
    assert time.monotonic() - start < 10


def test_neither_file_nor_command() -> None:
    assert "neither a file nor a command" in str(refusal())
