"""What `opsconsole drill` does before and after it drills."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opsconsole.cli.drill import _written
from opsconsole.drill.model import Drill
from opsconsole.errors import OpsError
from opsconsole.model.verdicts import Level
from opsconsole.text import trusted
from tests.unit.cli.conftest import Run

NOTHING = Drill(
    system=trusted("shop"),
    title=trusted("Shop"),
    compress=30.0,
    began=1_767_225_600.0,
    seconds=1.0,
    version="9.9",
    operator=trusted("kim"),
    runs=(),
)


@pytest.mark.parametrize("file", ["/nowhere/at/all/drill.json", "/"])
async def test_a_file_that_cannot_be_is_told_before_anything_is_started(run: Run, file: str) -> None:
    ended = await run("drill", "--output", file)
    assert ended.code != 0
    assert ended.out == ""
    assert "--output needs a file in a folder that is there" in ended.err


async def test_the_schema_is_printed(run: Run) -> None:
    ended = await run("drill", "--schema")
    assert ended.code == 0
    assert json.loads(ended.out)["title"] == "opsconsole drill"


def test_the_report_goes_to_the_file_or_is_not_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "drill.json"
    assert _written(NOTHING, "json", file) is Level.UNKNOWN
    assert json.loads(file.read_text(encoding="utf-8"))["system"] == "shop"
    assert capsys.readouterr().out == ""
    with pytest.raises(OpsError, match="cannot be written"):
        _written(NOTHING, "json", tmp_path / "gone" / "drill.json")
    assert json.loads(capsys.readouterr().out)["system"] == "shop"
