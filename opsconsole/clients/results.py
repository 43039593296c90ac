"""Query results: vector, matrix, scalar and string."""

from __future__ import annotations

import msgspec

from opsconsole.clients.decode import decode
from opsconsole.errors import BadReply
from opsconsole.model.series import QueryResult, Series
from opsconsole.text import SafeText, safe


class _Data(msgspec.Struct, rename="camel"):
    result_type: str
    result: msgspec.Raw


class _Fast(msgspec.Struct, gc=False):
    """A series whose values msgspec reads as numbers. A native histogram has neither member: no points."""

    metric: dict[str, str] = {}
    value: tuple[float, float] | None = None
    values: list[tuple[float, float]] | None = None


class _Exact(msgspec.Struct, gc=False):
    """The same with the values as texts: msgspec does not read `+Inf` as a number."""

    metric: dict[str, str] = {}
    value: tuple[float, str] | None = None
    values: list[tuple[float, str]] | None = None


_DATA = msgspec.json.Decoder(_Data)
_FAST = msgspec.json.Decoder(list[_Fast] | None, strict=False)
_EXACT = msgspec.json.Decoder(list[_Exact] | None)
_POINT = msgspec.json.Decoder(tuple[float, str])


def decode_result(
    data: msgspec.Raw, where: str, warnings: tuple[SafeText, ...], infos: tuple[SafeText, ...]
) -> QueryResult:
    """The `data` of a query reply. A string result has one series without points, its text as the label
    `value`. Raises BadReply."""
    found = decode(_DATA, data, where)
    if found.result_type in ("vector", "matrix"):
        series = _series(found.result, where)
    elif found.result_type == "scalar":
        at, text = decode(_POINT, found.result, where)
        series = (Series({}, (at,), (_number(text, where),)),)
    elif found.result_type == "string":
        _, text = decode(_POINT, found.result, where)
        series = (Series({"value": text}, (), ()),)
    else:
        raise BadReply(
            f"an unknown kind of result: {safe(found.result_type, 40)}",
            where=where,
            hint="is it a Prometheus query API?",
        )
    return QueryResult(found.result_type, series, warnings, infos)


def _series(result: msgspec.Raw, where: str) -> tuple[Series, ...]:
    try:
        return tuple(_fast(item) for item in _FAST.decode(result) or ())
    except (ValueError, RecursionError, OverflowError):
        return tuple(_exact(item, where) for item in decode(_EXACT, result, where) or ())


def _fast(item: _Fast) -> Series:
    points = item.values if item.value is None else [item.value]
    if not points:
        return Series(item.metric, (), ())
    times, values = zip(*points, strict=True)
    return Series(item.metric, times, values)


def _exact(item: _Exact, where: str) -> Series:
    points = (item.values or []) if item.value is None else [item.value]
    times = tuple(at for at, _ in points)
    return Series(item.metric, times, tuple(_number(text, where) for _, text in points))


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadReply(
            f"not a number: {safe(text, 60)}", where=where, hint="is it a Prometheus query API?"
        ) from None
