"""`opsconsole flags`: what the flags are, what changed, and rolling one back without the screens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from opsconsole.cli.acting import Acting
from opsconsole.cli.flags_common import (
    JsonOption,
    KeyArgument,
    Look,
    change_cells,
    look_at,
    provider_of,
    tell_doubt,
)
from opsconsole.cli.flags_rollback import plan, restore, rollback
from opsconsole.cli.options import connected
from opsconsole.cli.tables import CELL, json_text, table_text, write_json, write_table, write_text
from opsconsole.clock import LocalZone
from opsconsole.config.discover import Options
from opsconsole.model.flagchanges import last_change, propose
from opsconsole.model.flags import Flag, FlagChange, RollbackKind
from opsconsole.render.times import ago, exact, parse_duration
from opsconsole.text import SafeText, safe, safe_block, trusted

app = typer.Typer(help="List the feature flags and their changes, roll one back, and restore it.")

_SHOWN = 10
"""Changes that `flags show` prints."""


@app.callback(invoke_without_command=True)
@connected
def flags(options: Options, run: typer.Context, as_json: JsonOption = False) -> None:
    """The feature flags of the context's provider. Alone it lists them, as `flags list` does."""
    if run.invoked_subcommand is None:
        _list(options, as_json)
        return
    run.find_root().obj = options  # the connection options before the command's name count for it


@app.command("list")
@connected
def list_(
    options: Options,
    as_json: JsonOption = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to this file, as a whole or not at all.", show_default=False),
    ] = None,
) -> None:
    """List the flags: first what changed in the hour before the worst firing alert, then by their last change."""
    _list(options, as_json, output)


def _list(options: Options, as_json: bool, output: Path | None = None) -> None:
    with Acting(options, writes=False, for_flags=True) as acting:
        look = look_at(acting)
        tell_doubt(look)
        found = look.ordered()
        if as_json:
            text = json_text([_flag_data(flag, look) for flag in found])
        else:
            headers = ["flag", "state", "serves", "default", "variants", "last change", "suspect"]
            text = table_text(headers, [_row(flag, look) for flag in found])
    if output is None:
        write_text(text)
        return
    from opsconsole.cli.check_output import save

    save(output, text)


def _row(flag: Flag, look: Look) -> list[SafeText]:
    change = last_change(look.changes, flag.key)
    return [
        flag.name,
        safe("enabled" if flag.enabled else "disabled"),
        flag.serves,
        flag.default_variant,
        safe(", ".join(flag.variants)),
        _changed(change, look) if change is not None else trusted("not known"),
        look.suspect_words(flag.key),
    ]


def _changed(change: FlagChange, look: Look) -> SafeText:
    by = f" by {change.who}" if change.who else ""
    seen = "" if change.exact else "seen "
    return safe(f"{seen}{ago(look.snapshot.now - change.at)} ago{by}: {change.summary}", CELL)


def _flag_data(flag: Flag, look: Look) -> dict[str, Any]:
    """A flag as JSON: with its last change, and how long before the onset of the worst alert it changed."""
    data: dict[str, Any] = msgspec.to_builtins(flag)
    change = last_change(look.changes, flag.key)
    return {**data, "last_change": change, "suspect_seconds": look.suspect(flag.key)}


@app.command("show")
@connected
def show(options: Options, flag: KeyArgument, as_json: JsonOption = False) -> None:
    """Show a flag: what it serves, its definition, its last changes, and what a rollback of it would be."""
    with Acting(options, writes=False, for_flags=True) as acting:
        look = look_at(acting)
        found = look.flag(flag)
        provider = provider_of(acting)
        definition = found.definition or acting.run(provider.definition(flag))
        proposal = propose(found, look.changes, provider.capabilities, look.onset)
        changes = [change for change in look.changes if change.key == flag][:_SHOWN]
        tell_doubt(look)
        if as_json:
            kind = proposal.kind.name.lower()
            proposed = {"kind": kind, "words": proposal.words, "why": proposal.why}
            write_json(
                {
                    "flag": _flag_data(msgspec.structs.replace(found, definition=definition), look),
                    "changes": changes,
                    "rollback": proposed,
                    "provider": {"name": provider.name, "capabilities": provider.capabilities},
                }
            )
            return
        lines = _lines(found, look)
        nothing = found.off and proposal.kind is RollbackKind.OFF
        way = "none: everyone gets the safe variant" if nothing else f"{proposal.words}: {proposal.why}"
        lines.append(f"rollback     {way}")
        lines += [
            f"{'changes' if at == 0 else '':<13}{_changed(change, look)}" for at, change in enumerate(changes)
        ]
        if not changes:
            lines.append("changes      none is known")
        lines.append(f"provider     {safe(provider.name, 40)}: {provider.capabilities.words()}")
        write_text("\n".join([*lines, "", safe_block(definition, 20_000)]) + "\n")


def _lines(flag: Flag, look: Look) -> list[str]:
    rollout = (
        f" ({flag.rollout:g} % of the users get something else than the safe variant)" if flag.rollout else ""
    )
    told = {
        "flag": flag.name,
        "state": "enabled" if flag.enabled else "disabled",
        "serves": f"{flag.serves}{rollout}",
        "variants": ", ".join(flag.variants),
        "safe variant": flag.safe_variant or "none is known",
        "type": flag.type,
        "tags": ", ".join(flag.tags),
        "version": safe(flag.version, 80),
        "suspect": look.suspect_words(flag.key),
    }
    return [f"{name:<13}{text}" for name, text in told.items() if text]


@app.command("changes")
@connected
def changes(
    options: Options,
    flag: Annotated[str, typer.Argument(metavar="[FLAG]", help="Only this flag's.", show_default=False)] = "",
    since: Annotated[str, typer.Option(metavar="DURATION", help="How far back: 90m, 24h, 7d.")] = "24h",
    as_json: JsonOption = False,
) -> None:
    """List what changed, newest first: the provider's own log, and what the consoles' journal has seen."""
    seconds = parse_duration(since)
    with Acting(options, writes=False, for_flags=True) as acting:
        look = look_at(acting)
        now = look.snapshot.now
        if flag:
            look.flag(flag)
        found = _since(acting, look, now - seconds, flag)
        tell_doubt(look)
        if as_json:
            write_json(found)
            return
        write_table(
            ["at", "flag", "by", "change", "version"],
            [
                [
                    safe(f"{'' if c.exact else 'before '}{exact(c.at, LocalZone(), now)}"),
                    safe(c.key, 200),
                    *change_cells(c),
                    safe(c.version, 80),
                ]
                for c in found
            ],
        )


def _since(acting: Acting, look: Look, since: float, key: str) -> list[FlagChange]:
    """The changes since then. What is older than a look keeps is asked for. Raises FlagError."""
    from opsconsole.model.flagchanges import merged
    from opsconsole.state.flaglog import BACK

    known = look.changes
    provider = provider_of(acting)
    if provider.capabilities.change_log and look.snapshot.now - since > BACK:
        known = merged(acting.run(provider.changes(since, key)), known)
    return [change for change in known if change.at >= since and key in ("", change.key)]


app.command("plan")(plan)
app.command("rollback")(rollback)
app.command("restore")(restore)
