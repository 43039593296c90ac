"""Headings, links and what is outside code."""

from __future__ import annotations

import pytest

from opsconsole.lint.markdown import headings, links, slugs

TEXT = """\
---
title: "[no](link.md)"
---
# One `two` #

````sh
```
# not a heading
[no](no.md)
````

## Response steps (0-5 minutes)
`[no](no.md)` and [yes](a%20b.md "title"), ![picture](<p q.png>)
[ref]: there.md
## One two
"""


def test_headings_and_their_lines() -> None:
    assert headings(TEXT) == [(4, "One `two`"), (12, "Response steps (0-5 minutes)"), (15, "One two")]


def test_links_and_their_lines() -> None:
    assert list(links(TEXT)) == [(13, "a%20b.md"), (13, "p q.png"), (14, "there.md")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# Response steps (0-5 minutes)", {"response-steps-0-5-minutes"}),
        ("# A\n# A\n# A", {"a", "a-1", "a-2"}),
        ("# `http_errors` & more", {"http_errors--more"}),
        ("# [Linked](x.md)", {"linked"}),
    ],
)
def test_anchors(text: str, found: set[str]) -> None:
    assert slugs(text) == found
