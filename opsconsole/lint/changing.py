"""Which commands of a script change something."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from opsconsole.lint.programs import (
    ALWAYS,
    EXECUTING,
    SERVICES,
    SHELLS,
    SQL_SHELLS,
    VALUED,
    VERBS,
    WRAPPERS,
    Verbs,
)
from opsconsole.lint.shell import Simple, read_script

_SQL = re.compile(
    r"(?:\bdelete\s+from|\bupdate\s+[\w.\"]+\s+(?:as\s+\w+\s+)?set|\binsert\s+into|\btruncate\s+\S|\bmerge\s+into"
    r"|\b(?:drop|alter|create)\s+(?:or\s+replace\s+)?(?:unique\s+)?(?:table|index|database|schema|role|user|view|system"
    r"|materialized|extension|function|sequence|type|trigger|policy|column)"
    r"|(?:^|;)\s*(?:grant|revoke|vacuum|reindex|cluster|call|do|kill|checkpoint|refresh)\b"
    r"|\bpg_(?:terminate_backend|cancel_backend|reload_conf|promote|switch_wal)\s*\(|\bsetval\s*\()",
    re.I,
)
_SENDING = frozenset({"-d", "-F", "-T", "--form", "--upload-file", "--json"})
_METHODS = frozenset({"POST", "PUT", "DELETE", "PATCH"})
_READS = re.compile(r"/api/v1/(?:query|query_range|query_exemplars|series|labels|format_query)(?:[/?\"']|$)")
"""Prometheus answers questions by POST too."""
_SIGNAL_0 = frozenset({"-0", "-l", "-L", "--list"})


def changes(script: str) -> list[tuple[int, str]]:
    """What a script's commands change: the line, from 0, and the words that say it."""
    found = []
    for command in read_script(script).commands:
        why = changing(command.texts, command)
        if why:
            found.append((command.words[0].line, why))
    return sorted(found)


def changing(words: Sequence[str], command: Simple | None = None) -> str:
    """The words of a command that say that it changes something; "" when it is not known to. `command` has
    what it is given to read."""
    if not words:
        return ""
    name = words[0].rsplit("/", 1)[-1]
    bodies = [body.text for body in command.bodies] if command is not None else []
    if name in ALWAYS or name.startswith("mkfs."):
        return "" if name == "kill" and _SIGNAL_0 & set(words) else name
    special = _SPECIAL.get(name)
    if special is not None:
        return special(name, words[1:], bodies)
    verbs = VERBS.get(name)
    return _by_verb(name, words[1:], verbs) if verbs is not None else ""


def _by_verb(name: str, words: Sequence[str], verbs: Verbs) -> str:
    said = [name]
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in VALUED.get(name, ()):
            rest = rest[1:]
        elif not word.startswith("-"):
            verb = word.lower() if name in ("redis-cli", "valkey-cli") else word
            if verb in ("exec", "run") and name in EXECUTING:
                inner = _executed(rest)
                if inner or verb == "exec":
                    return inner
            below = verbs.get(verb, False)
            said.append(verb)
            if isinstance(below, bool):
                return " ".join(said) if below else ""
            verbs = below
    return ""


def _executed(words: Sequence[str]) -> str:
    """The change that a command inside a container makes; `exec` into a shell of its own may change anything."""
    rest = list(words[words.index("--") + 1 :]) if "--" in words else _from_known(words)
    if rest and rest[0].rsplit("/", 1)[-1] in SHELLS and len(rest) == 1:
        return f"exec {rest[0]}"
    return changing(rest)


def _from_known(words: Sequence[str]) -> list[str]:
    """The words from the first one on that is a program known here."""
    for at, word in enumerate(words):
        name = word.rsplit("/", 1)[-1]
        if name in ALWAYS or name in _SPECIAL or name in VERBS:
            return list(words[at:])
    return []


def _wrapper(_: str, words: Sequence[str], __: Sequence[str]) -> str:
    return changing(_from_known(words))


def _shell(_: str, words: Sequence[str], bodies: Sequence[str]) -> str:
    scripts = [*bodies, *([script] if (script := script_argument(words)) else [])]
    return next((why for script in scripts for _, why in changes(script)), "")


def script_argument(words: Sequence[str]) -> str:
    """The script that `sh -c script` is given, by its words after `sh`; "" when there is none."""
    for word, following in pairwise(words):
        if re.fullmatch(r"-[a-z]*c", word):
            return following
    return ""


def _ssh(_: str, words: Sequence[str], bodies: Sequence[str]) -> str:
    return next((why for script in (" ".join(remote(words)), *bodies) for _, why in changes(script)), "")


def remote(words: Sequence[str]) -> Sequence[str]:
    """The words of an `ssh` command that its far end runs: those after the host."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if re.fullmatch(r"-[bcDEeFIiJLlmOopQRSWw]", words[at]) else 1
    return words[at + 1 :]


def _eval(_: str, words: Sequence[str], __: Sequence[str]) -> str:
    return next((why for _, why in changes(" ".join(words))), "")


def _sql(name: str, words: Sequence[str], bodies: Sequence[str]) -> str:
    for text in (*words, *bodies):
        found = _SQL.search(re.sub(r"--[^\n]*", "", text))
        if found is not None:
            return f"{name}: {' '.join(found[0].strip('; ').split())}"
    return ""


def _curl(name: str, words: Sequence[str], _: Sequence[str]) -> str:
    if any(_READS.search(word) for word in words):
        return ""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in ("-X", "--request", "--method") and following.upper() in _METHODS:
            return f"{name} {word} {following}"
        if word.startswith("-X") and word[2:].upper() in _METHODS:
            return f"{name} {word}"
        method = word.partition("=")[2].upper()
        if word.startswith(("--request=", "--method=")) and method in _METHODS:
            return f"{name} {word}"
    as_get = {"-G", "--get"} & set(words) or any(re.fullmatch(r"-[a-zA-Z]*G[a-zA-Z]*", word) for word in words)
    sends = [w for w in words if w in _SENDING or w.startswith(("--data", "--post-data", "--post-file"))]
    return f"{name} {sends[0]}" if sends and not as_get else ""


def _find(name: str, words: Sequence[str], _: Sequence[str]) -> str:
    if "-delete" in words:
        return f"{name} -delete"
    for at, word in enumerate(words):
        if word in ("-exec", "-execdir", "-ok") and changing(words[at + 1 :]):
            return f"{name} {word} {changing(words[at + 1 :])}"
    return ""


def _in_place(name: str, words: Sequence[str], _: Sequence[str]) -> str:
    found = [word for word in words if re.match(r"-[a-zA-Z]*i|--in-place", word)]
    return f"{name} {found[0]}" if found else ""


def _service(name: str, words: Sequence[str], _: Sequence[str]) -> str:
    found = [word for word in words[1:2] if word in SERVICES]
    return f"{name} {found[0]}" if found else ""


def _nginx(name: str, words: Sequence[str], _: Sequence[str]) -> str:
    return f"{name} -s" if "-s" in words else ""


def _sysctl(name: str, words: Sequence[str], _: Sequence[str]) -> str:
    return f"{name} -w" if "-w" in words or any("=" in word for word in words) else ""


Special = Callable[[str, Sequence[str], Sequence[str]], str]
_SPECIAL: Mapping[str, Special] = {
    **dict.fromkeys(WRAPPERS, _wrapper),
    **dict.fromkeys(SHELLS, _shell),
    **dict.fromkeys(SQL_SHELLS, _sql),
    "ssh": _ssh,
    "eval": _eval,
    "curl": _curl,
    "wget": _curl,
    "find": _find,
    "sed": _in_place,
    "perl": _in_place,
    "service": _service,
    "nginx": _nginx,
    "sysctl": _sysctl,
}
