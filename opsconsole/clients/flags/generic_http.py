"""A flag system that is described as HTTP requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

from opsconsole.clients.flags.generic_words import PLACEHOLDER, Words, filled
from opsconsole.clients.flags.http_errors import flag_error
from opsconsole.clients.transport import Reply, Transport
from opsconsole.clock import Clock
from opsconsole.config.schema import Endpoint, FlagCall
from opsconsole.errors import ApprovalRequired, Conflict, FlagError, SourceError
from opsconsole.text import SafeText, safe


class HttpChannel:
    """Requests to one server. Keys are percent-encoded in paths and JSON-encoded in bodies."""

    def __init__(self, endpoint: Endpoint, calls: Mapping[str, FlagCall], clock: Clock) -> None:
        self._calls = calls
        self._clock = clock
        self._transport = Transport(endpoint, clock=clock)
        self.source: SafeText = self._transport.url

    async def ask(self, name: str, words: Words) -> str:
        """The body of the reply."""
        reply = await self._request(name, words, write=False)
        try:
            return reply.body.decode("utf-8")
        except UnicodeDecodeError:
            raise FlagError(f"the answer to `{name}` is not UTF-8", where=self.source) from None

    async def tell(self, name: str, words: Words) -> None:
        """Send a request that changes something, once."""
        await self._request(name, words, write=True)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _request(self, name: str, words: Words, *, write: bool) -> Reply:
        call = self._calls[name]
        path = filled_path(call.path, words, self.source)
        headers = [(header, filled(text, words)) for header, text in call.headers.items()]
        try:
            body = None if call.body is None else json.dumps(filled_body(call.body, words)).encode("ascii")
            reply = await self._transport.request(call.method, path, headers=headers, json=body)
        except SourceError as error:
            made = error
        else:
            if reply.status in call.approval:
                raise self._approval(name, reply.status)
            if call.expect and reply.status not in call.expect:
                failure = FlagError(
                    f"`{name}` was answered with {reply.status}, which the description does not expect",
                    where=self.source,
                    hint="look at the flag before anything else" if write else "look at `expect`",
                )
                failure.sent = write
                raise failure
            return reply
        if made.status in call.approval:
            raise self._approval(name, made.status)
        failed = flag_error(made, write=write, now=self._clock.now())
        raise (
            FlagError(failed.message, where=failed.where) if isinstance(failed, Conflict) and not write else failed
        )

    def _approval(self, name: str, status: int) -> ApprovalRequired:
        return ApprovalRequired(
            f"`{name}` was answered with {status}: somebody else has to approve the change first",
            where=self.source,
            hint="ask whoever may approve it",
        )


def filled_path(template: str, words: Words, where: SafeText) -> str:
    """A path with everything that is put in percent-encoded. Raises FlagError for what would change the path even
    so."""

    def encoded(name: str) -> str:
        value = str(getattr(words, name, ""))
        try:
            return quote(value, safe="")
        except UnicodeEncodeError:
            raise FlagError(f"{name} {safe(value, 80)} cannot be a part of a URL", where=where) from None

    before_query, mark, query = template.partition("?")
    path = PLACEHOLDER.sub(lambda found: encoded(found[1]), before_query)
    for written, made in zip(before_query.split("/"), path.split("/"), strict=True):
        if written != made and made in ("", ".", ".."):
            raise FlagError(f"flag {safe(words.key, 80) or '(empty)'} cannot be a part of a path", where=where)
    return path + mark + PLACEHOLDER.sub(lambda found: encoded(found[1]), query)


def filled_body(template: object, words: Words) -> object:
    """A body with its words in braces replaced. A text that is only `{definition}` or `{expected}` becomes the
    JSON value."""
    if isinstance(template, dict):
        return {name: filled_body(value, words) for name, value in template.items()}
    if isinstance(template, list):
        return [filled_body(value, words) for value in template]
    if not isinstance(template, str):
        return template
    if template in ("{definition}", "{expected}"):
        text = str(getattr(words, template[1:-1]))
        return json.loads(text) if text else None
    return filled(template, words)
