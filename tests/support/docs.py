"""Rewrites the generated parts of the README: the playbooks, the key table and the commands' help.

`python -m tests.support.docs` writes them, `--check` exits 1 when they are not as the code would write them.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click
import typer
import yaml

from opsconsole.actions.keys import Action, Scope
from opsconsole.actions.registry import ACTIONS
from opsconsole.cli.app import make_app
from opsconsole.config.playbooks import list_playbooks, load_playbook
from opsconsole.model.severity import Severity
from opsconsole.ui.bindings import keys_of

README = Path(__file__).parents[2] / "README.md"
WIDTH = 100


def key_table() -> str:
    """A Markdown table of every action, from the registry."""
    lines = ["| key | does | where |", "|---|---|---|"]
    for action in ACTIONS:
        changes = " ✎" if action.writes else ""
        keys = " ".join(f"`{key}`" for key in keys_of(action).split("/")) if action.id != "filter" else "`/`"
        does = f"**{action.title}**{changes}: {_escaped(action.description)}"
        lines.append(f"| {keys} | {does} | {_where(action)} |")
    return "\n".join([*lines, "", "✎ changes something; `--read-only` removes it."])


def _where(action: Action) -> str:
    if Scope.GLOBAL in action.scopes or len(action.scopes) == len(Scope) - 1:
        return "everywhere"
    return ", ".join(scope.value for scope in action.scopes)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def command_help() -> str:
    """The help of every command, in a fenced block each."""
    root = typer.main.get_command(make_app())
    blocks = [_help(root, "opsconsole")]
    assert isinstance(root, click.Group)
    for name, command in root.commands.items():
        if isinstance(command, click.Group):
            blocks += [_help(sub, f"opsconsole {name} {word}") for word, sub in command.commands.items()]
        else:
            blocks.append(_help(command, f"opsconsole {name}"))
    return "\n\n".join(blocks)


def _help(command: click.Command, name: str) -> str:
    context = click.Context(
        command,
        info_name=name,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"```\n$ {name} --help\n{text}\n```"


def playbook_table() -> str:
    """A Markdown table of the shipped playbooks."""
    lines = ["| playbook | dashboards (panels) | alerts | pictures |", "|---|---|---|---|"]
    for folder in list_playbooks():
        book = load_playbook(folder)
        boards = ", ".join(f"{d.title} ({len(d.panels)})" for d in book.dashboards)
        rules = [
            r for g in yaml.safe_load((folder / "rules.yaml").read_text("utf-8"))["groups"] for r in g["rules"]
        ]
        found = Counter(rule["labels"]["severity"] for rule in rules if "alert" in rule)
        counts = ", ".join(f"{found[s.word]} {s.word}" for s in Severity if found[s.word])
        links = " ".join(f"[{what}](screenshots/{folder.name}-{what}.svg)" for what in ("dashboard", "runbook"))
        lines.append(f"| [{folder.name}](playbooks/{folder.name}/README.md) | {boards} | {counts} | {links} |")
    return "\n".join(lines)


PARTS = {"playbooks": playbook_table, "keys": key_table, "help": command_help}


def generated(text: str) -> str:
    """The README's text with its generated parts made anew."""
    for name, make in PARTS.items():
        begin, end = f"<!-- {name}: made by `make docs` -->", f"<!-- /{name} -->"
        if begin not in text or end not in text:
            raise SystemExit(f"README.md has no part {name!r}: it needs {begin} and {end}")
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = f"{head}{begin}\n\n{make()}\n\n{end}{tail}"
    return text


def main() -> int:
    text = README.read_text(encoding="utf-8")
    wanted = generated(text)
    if "--check" in sys.argv:
        if text != wanted:
            print("README.md is not as the code says: run `make docs`", file=sys.stderr)
            return 1
        return 0
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
