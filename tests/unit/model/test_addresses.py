"""Whether Prometheus sends to the servers that this machine knows by other addresses."""

from __future__ import annotations

import pytest

from opsconsole.model.addresses import compared

PORT = "http://127.0.0.1:9093"


@pytest.mark.parametrize(
    ("wanted", "known", "there", "missing"),
    [
        ([PORT], [PORT], 1, 0),
        (["http://localhost:9093/"], ["http://127.0.0.1:9093"], 1, 0),
        (["http://[::1]:9093"], [PORT], 1, 0),
        (["https://AM.example"], ["https://am.example:443"], 1, 0),
        (["https://am.example/a"], ["https://am.example/b"], 0, 0),
        ([PORT], ["http://127.0.0.1:9094"], 0, 1),
        (["http://10.0.0.1:9093"], ["http://10.0.0.2:9093"], 0, 1),
        (["http://am-0:9093"], ["http://am-1:9093"], 0, 0),
        (["http://am-0:9093"], ["http://10.0.0.2:9093"], 0, 0),
        (["http://localhost:9093"], ["http://alertmanager:9093"], 1, 0),
        (["http://localhost:9093", "http://localhost:9094"], ["http://alertmanager:9093"], 1, 1),
        ([PORT, "http://10.0.0.1:9093"], ["http://10.0.0.1:9093"], 1, 1),
        (["http://["], [PORT], 0, 0),
        ([PORT], [], 0, 1),
    ],
)
def test_addresses(wanted: list[str], known: list[str], there: int, missing: int) -> None:
    found = compared(wanted, known)
    assert (len(found.there), len(found.missing)) == (there, missing), found
    assert len(found.there) + len(found.missing) + len(found.unclear) == len(wanted)
