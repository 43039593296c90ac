"""Whether two URLs lead to the same server."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

import msgspec

_PORTS = {"http": 80, "https": 443}


class Compared(msgspec.Struct, frozen=True):
    """Some URLs against others: those that are there, those that surely are not, and those of which the
    addresses do not tell."""

    there: tuple[str, ...]
    missing: tuple[str, ...]
    unclear: tuple[str, ...]


def compared(wanted: Sequence[str], known: Sequence[str]) -> Compared:
    """Look for each wanted URL among the known ones, which may be another machine's view of the same servers.

    The same host, port and path are the same server. This machine's loopback may be a forwarded port: with the
    same port number it is taken for the server behind it. Otherwise a name and an address, or two names, may
    well be the same server, and only two addresses surely are not.
    """
    left = list(known)
    there: list[str] = []
    for same in (_exactly, _by_port):
        for url in wanted:
            match = next((k for k in left if url not in there and same(url, k)), None)
            if match is not None:
                there.append(url)
                left.remove(match)
    rest = [url for url in wanted if url not in there]
    missing = tuple(url for url in rest if all(_differ(url, k) for k in left))
    return Compared(tuple(there), missing, tuple(url for url in rest if url not in missing))


def _exactly(one: str, other: str) -> bool:
    a, b = _split(one), _split(other)
    return (_host(a), _port(a), a.path.rstrip("/")) == (_host(b), _port(b), b.path.rstrip("/"))


def _by_port(here: str, there: str) -> bool:
    a, b = _split(here), _split(there)
    return _host(a) == "localhost" and _host(b) != "localhost" and _port(a) == _port(b)


def _differ(one: str, other: str) -> bool:
    """Whether two URLs surely are not the same server: both are addresses of the same kind of network."""
    a, b = _host(_split(one)), _host(_split(other))
    if a == "localhost" or b == "localhost":
        return a == b  # the same machine, another port
    return _is_address(a) and _is_address(b)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def _host(parts: SplitResult) -> str:
    """The host in lower case; every name of the loopback is `localhost`."""
    host = (parts.hostname or "").rstrip(".")
    try:
        return "localhost" if ipaddress.ip_address(host).is_loopback else host
    except ValueError:
        return host


def _port(parts: SplitResult) -> int | None:
    return parts.port or _PORTS.get(parts.scheme)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
