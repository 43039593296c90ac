"""Templates of silences: what is silenced again and again, with gaps to fill. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from opsconsole.errors import UsageError
from opsconsole.model import radius
from opsconsole.model.matchers import Matcher, Matchers, parse_matcher
from opsconsole.text import SafeText, safe, safe_block

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}", re.ASCII)
"""`{{instance}}`: filled with the label of that name, or by a person."""

_MARK = "opsconsoleplaceholder{}x"
_MARKED = re.compile(r"opsconsoleplaceholder(\d+)x")
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


class SilenceTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """One template: `duration` in seconds; values of matchers and the comment may hold placeholders."""

    name: str
    title: SafeText
    duration: float
    comment: SafeText
    matchers: Matchers

    @property
    def placeholders(self) -> tuple[str, ...]:
        """What is to be filled, each once: those of the matchers first."""
        texts = [*(m.value for m in self.matchers), self.comment]
        return tuple(dict.fromkeys(name for text in texts for name in PLACEHOLDER.findall(text)))

    def fill(self, values: Mapping[str, str]) -> tuple[Matchers, SafeText]:
        """The matchers and the comment with every gap filled; in a regular expression a value stands for itself.

        Raises UsageError that names the gaps that have no value.
        """
        gaps = [name for name in self.placeholders if not values.get(name, "").strip()]
        if gaps:
            raise UsageError(
                f"the template {safe(self.name, 60)} needs {', '.join(gaps)}", hint=f"for instance {gaps[0]}=…"
            )
        comment = PLACEHOLDER.sub(lambda found: values[found[1]], self.comment)
        return tuple(_filled(m, values) for m in self.matchers), safe_block(comment)


def template_matcher(text: str) -> Matcher:
    """One matcher of a template, its placeholders kept in its value. Raises UsageError."""
    names: list[str] = []

    def mark(found: re.Match[str]) -> str:
        names.append(found[1])
        return _MARK.format(len(names) - 1)

    marked = PLACEHOLDER.sub(mark, text)
    if "{{" in marked or "}}" in marked:
        raise UsageError("has braces that are no placeholder", hint='write a placeholder as "{{instance}}"')
    matcher = parse_matcher(marked)
    if _MARKED.search(matcher.name):
        raise UsageError("the name of a label cannot be a placeholder", hint="only its value can")
    value = _MARKED.sub(lambda found: f"{{{{{names[int(found[1])]}}}}}", matcher.value)
    return msgspec.structs.replace(matcher, value=value)


def refuse_everything(matchers: Sequence[Matcher]) -> None:
    """Raise UsageError for a template that, however it is filled, is as good as on everything."""
    radius.refuse_everything([_filled(m, dict.fromkeys(PLACEHOLDER.findall(m.value), "x")) for m in matchers])


def proposals(template: SilenceTemplate, labels: Mapping[str, str]) -> dict[str, str]:
    """What the placeholders are filled with beforehand: the labels of those names."""
    return {name: labels.get(name, "") for name in template.placeholders}


def find_template(
    books: Iterable[tuple[str, Sequence[SilenceTemplate]]], name: str
) -> tuple[str, SilenceTemplate]:
    """The template that a name or `system/name` means, with its system. Raises UsageError that names the others
    when there is none or several systems have it."""
    every = [(system, template) for system, templates in books for template in templates]
    found = [(s, t) for s, t in every if name in (t.name, f"{s}/{t.name}")]
    if len(found) == 1:
        return found[0]
    if found:
        words = ", ".join(f"{safe(s, 40)}/{t.name}" for s, t in found)
        raise UsageError(f"several playbooks have a template {safe(name, 60)}", hint=f"say which: {words}")
    if not every:
        raise UsageError("no playbook of this context has templates for silences", hint="see `silences:` of one")
    words = ", ".join(sorted({t.name for _, t in every}))
    raise UsageError(f"there is no template {safe(name, 60)}", hint=f"templates: {words}")


def _filled(matcher: Matcher, values: Mapping[str, str]) -> Matcher:
    def value_of(found: re.Match[str]) -> str:
        value = values[found[1]]
        return _SPECIAL.sub(r"\\\g<0>", value) if matcher.is_regex else value

    return msgspec.structs.replace(matcher, value=PLACEHOLDER.sub(value_of, matcher.value))
