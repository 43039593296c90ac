"""Textual bindings, palette entries and footer words, all made from the action registry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.binding import Binding

from opsconsole.actions.keys import Action, Scope
from opsconsole.actions.registry import actions_for

_SHOWN = {
    "question_mark": "?",
    "slash": "/",
    "plus": "+",
    "escape": "esc",
    "ctrl+p": "^p",
    "ctrl+r": "^r",
    "ctrl+d": "^d",
    "ctrl+b": "^b",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "shift+tab": "shift+tab",
}


def bindings_for(scope: Scope) -> list[Binding]:
    """A Textual binding for each key of each action of a scope.

    They have priority, which makes Textual run each action before it looks where the next key goes: what is
    typed behind `/` lands in the filter however fast it comes.
    """
    return [
        Binding(key, f"ops('{action.id}')", action.title, show=False, priority=True, id=f"{action.id}.{key}")
        for action in actions_for(scope)
        if action.id != "palette"
        for key in action.keys
    ]


def key_name(key: str) -> str:
    """A key as a person reads it."""
    return _SHOWN.get(key, key)


def keys_of(action: Action) -> str:
    """All keys of an action, as `j/down`."""
    return "/".join(key_name(key) for key in action.keys)


def footer_actions(scope: Scope, *, read_only: bool, ids: Sequence[str] = ()) -> Iterable[Action]:
    """The actions that the footer shows, in order: those of the registry that want to and then those for which
    there may be room, or only `ids`."""
    actions = actions_for(scope, read_only=read_only)
    if not ids:
        return [*(a for a in actions if a.footer), *(a for a in actions if a.spare)]
    return sorted((a for a in actions if a.id in ids), key=lambda a: ids.index(a.id))
