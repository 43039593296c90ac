"""The short cuts of decoding agree with the long way."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.clients.decode import decode_alerts, plain
from opsconsole.model.alerts import Alert, sanitise
from opsconsole.text import safe


def test_a_plain_character_stays_plain_however_often_it_comes() -> None:
    odd = [
        code
        for code in range(0x110000)
        if not 0xD800 <= code < 0xE000 and plain(chr(code) * 6) and safe(chr(code) * 6) != chr(code) * 6
    ]
    assert odd == []


def test_common_scripts_and_glyphs_are_plain() -> None:
    assert all(plain(text) for text in ["größer", "Ошибка", "日本語 エラー", "한국어", "→ ✖ … 🔥"])


@given(st.text())
def test_plain_text_is_what_safe_leaves_alone(text: str) -> None:
    if plain(text):
        assert safe(text) == text


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=3), st.booleans())
def test_decoded_alerts_are_as_sanitise_makes_them(texts: list[tuple[str, str, str]], escaped: bool) -> None:
    data = [
        {
            "fingerprint": "f",
            "labels": {a: b},
            "annotations": {b: c},
            "generatorURL": a,
            "receivers": [{"name": c}],
        }
        for a, b, c in texts
    ]
    body = json.dumps(data, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    long_way = [
        msgspec.structs.replace(sanitise(alert), cluster="c")
        for alert in msgspec.json.decode(body, type=list[Alert])
    ]
    assert decode_alerts(body, "c", "http://x") == long_way


@given(st.lists(st.text(alphabet='"\\/&<>nux0123456789abcdef\n\x1b'), max_size=4))
def test_escapes_that_look_harmless_are_looked_at(texts: list[str]) -> None:
    data = [{"fingerprint": "f", "labels": {}, "annotations": {"a": text}} for text in texts]
    body = json.dumps(data).replace("&", "\\u0026").replace("<", "\\u003c").encode()
    found = [alert.annotations["a"] for alert in decode_alerts(body, "", "")]
    assert all(text.replace("\n", "").isprintable() for text in found)
