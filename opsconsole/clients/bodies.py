"""Reading a reply's body with a cap on its decompressed size."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator

from opsconsole.clients._httpx import httpx

_GZIP = zlib.MAX_WBITS | 16
_STEP = 1 << 20
"""Bytes that one step of decompression may produce, so that a bomb never grows past the cap by more."""


class TooLarge(Exception):
    """The body is larger than the cap."""


class BadEncoding(Exception):
    """The body is not in an encoding that was asked for, or its compressed stream is damaged or cut short."""


async def read_body(response: httpx.Response, limit: int) -> bytes:
    """The whole decompressed body of a streamed response.

    Raises TooLarge past `limit` bytes, BadEncoding, and whatever httpx raises while reading.
    """
    if response.is_stream_consumed:  # an in-process transport hands over whole responses
        if len(response.content) > limit:
            raise TooLarge
        return response.content
    parts: list[bytes] = []
    size = 0
    async for part in _decoded(response):
        size += len(part)
        if size > limit:
            raise TooLarge
        parts.append(part)
    return b"".join(parts)


async def read_start(response: httpx.Response, limit: int) -> bytes:
    """The first `limit` bytes of the body, for an error message; what follows is left unread."""
    if response.is_stream_consumed:
        return response.content[:limit]
    start = b""
    try:
        async for part in _decoded(response):
            start += part
            if len(start) >= limit:
                break
    except (httpx.HTTPError, BadEncoding):
        pass  # the status already says what is wrong; its text is a bonus
    return start[:limit]


async def _decoded(response: httpx.Response) -> AsyncIterator[bytes]:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        async for raw in response.aiter_raw():
            yield raw
        return
    if encoding not in ("gzip", "x-gzip"):
        raise BadEncoding(f"content encoding {encoding}")
    inflate = zlib.decompressobj(_GZIP)
    async for raw in response.aiter_raw():
        for part in _inflated(inflate, raw):
            yield part
    if not inflate.eof:
        raise BadEncoding("the compressed body was cut short")


def _inflated(inflate: zlib._Decompress, raw: bytes) -> Iterator[bytes]:
    while raw and not inflate.eof:
        try:
            part = inflate.decompress(raw, _STEP)
        except zlib.error:
            raise BadEncoding("the compressed body is damaged") from None
        raw = inflate.unconsumed_tail
        if part:
            yield part
