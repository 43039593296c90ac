"""The JSON Schema of a playbook: it accepts what the reader accepts, and refuses what it refuses."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from opsconsole.config import playbook_keys
from opsconsole.config.nodes import Problems
from opsconsole.config.playbook_schema import playbook_schema
from opsconsole.config.playbooks import list_playbooks, load_playbook
from opsconsole.config.reader import Section
from opsconsole.config.runbooks import parse_runbook
from tests.unit.config.test_playbook_sections import FULL
from tests.unit.config.test_playbook_sections import PROBLEMS as SECTION_PROBLEMS
from tests.unit.config.test_playbooks import FULL as PANELS
from tests.unit.config.test_playbooks import PROBLEMS as PANEL_PROBLEMS

# An empty value means to the reader that the key is left out: the schema is stricter there.
SECTIONS = FULL.replace("    head:\n", "    head: {}\n")

SCHEMA = playbook_schema()
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)

BEYOND = re.compile(
    r"\.inf|there (is|are)|is here twice|is not there|outside|is not a file|no query has|min must be|must be from"
    r"|is neither|no turn|is earlier|not a time zone|name of a seat|may not have|characters that"
)
"""Problems that take more than one value to see, or a look at files, or the size of a number."""


class Yaml(yaml.SafeLoader):
    """YAML 1.2 as editors read it: a date is a text."""


Yaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(text: str) -> Any:
    return yaml.load(text, Loader=Yaml)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("folder", list_playbooks(), ids=lambda folder: folder.name)
def test_the_shipped_playbooks_fit(folder: Path) -> None:
    assert [e.message for e in VALIDATOR.iter_errors(read((folder / "playbook.yaml").read_text()))] == []


def test_full_playbooks_fit() -> None:
    for text in (PANELS, SECTIONS):
        assert [e.message for e in VALIDATOR.iter_errors(read(text))] == []


@pytest.mark.parametrize(
    "text",
    [case[0] for case in [*PANEL_PROBLEMS, *SECTION_PROBLEMS] if not BEYOND.search(case[3])],
)
def test_what_the_reader_refuses_the_schema_refuses(text: str) -> None:
    assert not VALIDATOR.is_valid(read(text))


def test_a_fault_is_found_where_it_is() -> None:
    faulty = SECTIONS.replace("unit: ratio", "unit: ratios")
    (error,) = VALIDATOR.iter_errors(read(faulty))
    assert list(error.absolute_path) == ["guard", "rules", 0, "unit"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """What the readers pass to `Section.only`, by the path of the mapping without its indices."""
    found: dict[str, set[str]] = {}

    def only(section: Section, known: Collection[str], special: dict[str, str] | None = None) -> bool:
        found[re.sub(r"\[\d+\]", "[]", section.key)] = set(known)
        return True

    monkeypatch.setattr(Section, "only", only)
    return found


def test_every_key_of_the_reader_is_in_the_schema_and_no_other(asked: dict[str, set[str]], tmp_path: Path) -> None:
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "errors.md").write_text("# Errors\n")
    body = SECTIONS.partition("\n")[2].partition("response: {critical: 5m}\n")
    (tmp_path / "playbook.yaml").write_text(PANELS + body[0] + body[2])
    load_playbook(tmp_path)
    schema = {path: set(keys) for path, keys in objects(SCHEMA, "") if keys}
    named = {re.sub(r"^(alerts|oncall\.roles)\.[^.]+$", r"\1.*", path): keys for path, keys in asked.items()}
    assert named == schema


def test_front_matter_has_its_schema(asked: dict[str, set[str]]) -> None:
    parse_runbook("---\ntitle: x\n---\n", Path("x.md"), Problems("x.md"))
    assert asked == {"": set(SCHEMA["$defs"]["runbook"]["properties"])}


def objects(schema: Any, path: str) -> Iterator[tuple[str, list[str]]]:
    """Every mapping of the schema with its path and its keys."""
    if schema.get("type") == "array":
        yield from objects(schema["items"], f"{path}[]")
    if schema.get("type") != "object":
        return
    if isinstance(schema["additionalProperties"], dict):
        yield from objects(schema["additionalProperties"], f"{path}.*")
    properties = schema.get("properties", {})
    yield path, list(properties)
    for name, inner in properties.items():
        yield from objects(inner, f"{path}.{name}" if path else name)


def test_every_key_is_described() -> None:
    tables = [table for table in vars(playbook_keys).values() if isinstance(table, dict)]
    keys = [key for table in tables for key in table.values() if isinstance(key, playbook_keys.Key)]
    assert len(keys) > 60
    assert [key for key in keys if not key.says.endswith(".")] == []
