"""The ways in which a flag can be rolled back."""

from __future__ import annotations

import msgspec

from opsconsole.model.flags import Capabilities, Flag, FlagChange, RollbackKind, Swap
from opsconsole.model.rollback_choices import VERSIONS, choices
from opsconsole.text import trusted

ALL = Capabilities(swap=Swap.VERSION, revert=True, change_log=True)
FLAG = Flag(
    key="pricing", enabled=True, default_variant=trusted("on"), safe_variant=trusted("off"),
    serves=trusted("100 %"), content_hash="h3", version="3",
)  # fmt: skip


def change(version: int, **more: object) -> FlagChange:
    made = FlagChange(
        key="pricing", at=1000.0 * version, summary=trusted(f"v{version}"), before=f"d{version - 1}",
        after=f"d{version}", before_hash=f"h{version - 1}", after_hash=f"h{version}", version=str(version),
        served=trusted("50 %"),
    )  # fmt: skip
    return msgspec.structs.replace(made, **more)


LOG = (change(3), change(2), change(1), change(9, key="other"))


def test_all_that_the_provider_can() -> None:
    found = choices(FLAG, LOG, ALL)
    assert [(way.kind, way.version, str(way.words)) for way in found] == [
        (RollbackKind.OFF, "", "off: serve off to everyone"),
        (RollbackKind.UNDO, "", "undo the last change: 100 % -> 50 %"),
        (RollbackKind.REVERT, "2", "revert to version 2"),
        (RollbackKind.REVERT, "1", "revert to version 1"),
    ]
    assert found[2].change == LOG[1]


def test_what_the_provider_cannot_is_not_offered() -> None:
    none = Capabilities(swap=Swap.REREAD, off=False, undo=False)
    assert choices(FLAG, LOG, none) == ()
    only = [way.kind for way in choices(FLAG, LOG, msgspec.structs.replace(none, undo=True))]
    assert only == [RollbackKind.UNDO]


def test_what_would_change_nothing_is_not_offered() -> None:
    off = msgspec.structs.replace(FLAG, off=True)
    assert RollbackKind.OFF not in {way.kind for way in choices(off, LOG, ALL)}


def test_a_change_that_is_not_known_whole_is_neither_undone_nor_reverted_to() -> None:
    log = (change(3, before=""), change(2, after=""), change(1))
    assert [(way.kind, way.version) for way in choices(FLAG, log, ALL)] == [
        (RollbackKind.OFF, ""),
        (RollbackKind.REVERT, "1"),
    ]


def test_only_the_newest_versions_are_offered() -> None:
    log = tuple(change(number) for number in range(20, 0, -1))
    found = choices(msgspec.structs.replace(FLAG, content_hash="h20", version="20"), log, ALL)
    versions = [way.version for way in found if way.kind is RollbackKind.REVERT]
    assert versions == [str(20 - back) for back in range(1, VERSIONS + 1)]
