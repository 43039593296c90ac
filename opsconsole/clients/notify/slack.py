"""Slack by an incoming webhook. The webhook's URL is a secret."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from opsconsole.clients._httpx import httpx
from opsconsole.clients.notify.base import Post, failed, secret_of, wanted
from opsconsole.clock import Clock
from opsconsole.config.http import url_problem
from opsconsole.config.schema import HttpConfig, NotifyConfig
from opsconsole.model.guard import GuardEvent
from opsconsole.model.guard_words import diff_lines, facts, headline, next_steps

MAX_HEADER = 150
MAX_BLOCK = 3000
MAX_TEXT = 3000
"""Characters of a header, of another block, and of the text that notifications show."""

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Slack:
    """One channel of Slack."""

    resolves = False

    def __init__(
        self, config: NotifyConfig, clock: Clock, *, inner: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.name = config.name
        self._config = config
        self._http = HttpConfig() if config.endpoint is None else config.endpoint.http
        self._clock = clock
        self._inner = inner
        self._post: Post | None = None
        self._url = ""

    def wants(self, event: GuardEvent) -> bool:
        return wanted(event, self._config.on)

    async def send(self, event: GuardEvent) -> None:
        url = await secret_of(self._config.secret, "Slack")
        problem, hint = url_problem(url)
        if problem:
            raise failed(f"the webhook {problem}", "Slack", hint=hint)
        if self._post is None or url != self._url:
            await self.aclose()
            self._post, self._url = Post(url, self._http, self._clock, show_path=False, inner=self._inner), url
        body = message(event) | ({"channel": self._config.channel} if self._config.channel else {})
        await self._post.send(msgspec.json.encode(body), hide=(url, urlsplit(url).path))

    async def aclose(self) -> None:
        post, self._post = self._post, None
        if post is not None:
            await post.aclose()


def message(event: GuardEvent) -> dict[str, Any]:
    """The message. No text of it is read as markup, mention or link: all is plain or preformatted."""
    lines = (f"{name}: {text}" for name, text in facts(event))
    blocks = [
        {"type": "header", "text": _plain(headline(event), MAX_HEADER)},
        *([_section(_plain(event.summary, MAX_BLOCK))] if event.summary else []),
        _section(_plain("\n".join(lines), MAX_BLOCK)),
    ]
    if event.diff:
        blocks.append(_section({"type": "mrkdwn", "text": _fenced(diff_lines(event)), "verbatim": True}))
    for title, told in (("What to do next", next_steps(event)), ("Timeline", event.timeline)):
        if told:
            # The end of a long story says more than its beginning.
            blocks.append(_section(_plain(_last(title, told), MAX_BLOCK)))
    return {
        "text": escaped(headline(event), MAX_TEXT),
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks,
    }


def escaped(text: str, limit: int) -> str:
    """Text in which nothing is a mention, a link or a channel, of at most `limit` characters with its entities."""
    whole = text.translate(_ENTITIES)
    if len(whole) <= limit:
        return whole
    kept, used = [], 1
    for char in text:
        shown = char.translate(_ENTITIES)
        used += len(shown)
        if used > limit:
            break
        kept.append(shown)
    return "".join(kept) + "…"


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": escaped(text, limit), "emoji": False}


def _section(text: dict[str, Any]) -> dict[str, Any]:
    return {"type": "section", "text": text}


def _fenced(lines: Iterable[str]) -> str:
    """Nothing ends the fence but its end: a backtick is shown as an apostrophe."""
    return "```\n" + escaped("\n".join(lines).replace("`", "'"), MAX_BLOCK - 8) + "\n```"


def _last(title: str, lines: Iterable[str]) -> str:
    """As many of the last lines as there is room for."""
    kept: list[str] = []
    room = MAX_BLOCK - len(title) - 40
    told = [f"• {line}" for line in lines]
    for line in reversed(told):
        room -= len(escaped(line, MAX_BLOCK)) + 1
        if room < 0 and kept:
            break
        kept.insert(0, line)
    left = len(told) - len(kept)
    return "\n".join((title, *([f"({left} earlier lines left out)"] if left else []), *kept))
