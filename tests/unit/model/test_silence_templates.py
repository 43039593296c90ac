"""Filling the gaps of a template, and finding one by its name."""

from __future__ import annotations

import pytest

from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matcher
from opsconsole.model.silence_templates import (
    SilenceTemplate,
    find_template,
    proposals,
    refuse_everything,
    template_matcher,
)
from opsconsole.text import safe, trusted


def template(*matchers: str, name: str = "deploy", comment: str = "deploying {{version}}") -> SilenceTemplate:
    return SilenceTemplate(
        name=name,
        title=trusted("A deploy"),
        duration=600.0,
        comment=safe(comment),
        matchers=tuple(template_matcher(m) for m in matchers),
    )


def test_a_value_stands_for_itself_whatever_it_is() -> None:
    made = template('route="{{route}}"', 'pod=~"{{pod}}-[0-9]+"')
    hostile = 'a.b|c"\\\n{{route}}'
    matchers, comment = made.fill({"route": hostile, "pod": "a.b", "version": "1\x1b[31m"})
    assert matchers[0] == Matcher("route", hostile)
    assert matchers[1].value == r"a\.b-[0-9]+"
    assert matchers[1].matches({"pod": "a.b-1"})
    assert not matchers[1].matches({"pod": "axb-1"})
    assert comment == "deploying 1\\x1b[31m"


def test_gaps_are_named() -> None:
    made = template('route="{{route}}"')
    with pytest.raises(UsageError, match="needs route, version"):
        made.fill({"route": " "})


def test_an_alert_proposes_its_labels() -> None:
    made = template('route="{{route}}"')
    assert proposals(made, {"route": "/api", "pod": "x"}) == {"route": "/api", "version": ""}


@pytest.mark.parametrize(
    ("matchers", "everything"),
    [
        (['a="{{b}}"'], False),
        (['a=~"{{b}}"'], False),
        (['a!="b"'], True),
        (['a=~".+"', 'b!="c"'], True),
        (['a=""'], True),
    ],
)
def test_what_hides_everything(matchers: list[str], everything: bool) -> None:
    found = [template_matcher(m) for m in matchers]
    if everything:
        with pytest.raises(UsageError, match="every alert there is"):
            refuse_everything(found)
    else:
        refuse_everything(found)


def test_finding_by_name() -> None:
    one, two = template('a="b"'), template('c="d"', name="host")
    books = [("shop", (one, two)), ("bank", (one,))]
    assert find_template(books, "host") == ("shop", two)
    assert find_template(books, "bank/deploy") == ("bank", one)
    with pytest.raises(UsageError, match="several playbooks") as caught:
        find_template(books, "deploy")
    assert caught.value.hint == "say which: shop/deploy, bank/deploy"
    with pytest.raises(UsageError, match="no template nope") as caught:
        find_template(books, "nope")
    assert caught.value.hint == "templates: deploy, host"
    with pytest.raises(UsageError, match="no playbook of this context"):
        find_template([("shop", ())], "deploy")
