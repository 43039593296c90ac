"""That a guard may write: a file that says until when, read anew at every round."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from opsconsole.clock import Clock
from opsconsole.errors import GuardError, UsageError
from opsconsole.guard.files import read_own, remove, write_whole
from opsconsole.model.guard import Armed
from opsconsole.text import SafeText, safe, trusted

SHORTEST, LONGEST = 60.0, 7 * 86_400.0
"""Seconds that a guard may be armed for: somebody has to want it again every week."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Uptime(msgspec.Struct, frozen=True):
    """`seconds` since this machine was started, sleep included; `boot` tells one start from another, "" when that
    cannot be told."""

    boot: str
    seconds: float


def uptime() -> Uptime:
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        boot = ""
    which = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Uptime(boot, time.clock_gettime(which))


class _Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file. `boot` and `uptime` are those of when it was written."""

    version: int
    context: str
    at: float
    until: float
    by: str
    reason: str
    boot: str
    uptime: float


class ArmingFile:
    """The arming of the guards of one context, in the file at `path`.

    It ends by the wall clock; on the machine and the start that it was made on also by the time that has really
    passed, so that a clock which goes back grants nothing. A clock before the time of arming is not believed.
    `problem` says why what is there does not count, "" when it does, or nothing is there.
    """

    def __init__(self, path: Path, context: str, clock: Clock, *, uptime: Callable[[], Uptime] = uptime) -> None:
        self.path = path
        self.problem = trusted("")
        self._context = context
        self._clock = clock
        self._uptime = uptime

    def armed(self) -> Armed | None:
        """The arming that counts now; None when there is none, it has expired, or it cannot be read."""
        self.problem = trusted("")
        try:
            raw = read_own(self.path)
            written = None if raw is None else self._decode(raw)
        except GuardError as error:
            self.problem = safe(f"not armed: {error}", 400)
            return None
        if written is None or self._over(written):
            return None
        return Armed(
            until=written.until, at=written.at, by=safe(written.by, 200), reason=safe(written.reason, 500)
        )

    def arm(self, seconds: float, by: str, reason: str) -> Armed:
        """Arm from now on, in place of what was. Raises UsageError for a time that is too short or too long, and
        GuardError when it cannot be kept."""
        if not SHORTEST <= seconds <= LONGEST:
            raise UsageError("a guard is armed for 1m to 7d", hint="--for 8h")
        now, up = self._clock.now(), self._uptime()
        written = _Written(
            version=1,
            context=self._context,
            at=now,
            until=now + seconds,
            by=by,
            reason=reason,
            boot=up.boot,
            uptime=up.seconds,
        )
        write_whole(self.path, msgspec.json.encode(written) + b"\n", 0o600)
        return Armed(until=written.until, at=now, by=safe(by, 200), reason=safe(reason, 500))

    def disarm(self) -> bool:
        """End it; whether there was one. Raises GuardError."""
        return remove(self.path)

    def _decode(self, raw: bytes) -> _Written:
        try:
            written = msgspec.json.decode(raw, type=_Written)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._damaged(f"cannot be understood: {safe(str(error), 200)}") from None
        if written.version != 1:
            raise self._damaged("was written by another version of opsconsole")
        if written.context != self._context:
            raise self._damaged(f"is of the context {safe(written.context, 60)}")
        if not 0 < written.until - written.at <= LONGEST:
            raise self._damaged("grants a time that nobody may grant")
        return written

    def _damaged(self, why: str) -> GuardError:
        return GuardError(why, where=safe(str(self.path)), hint="opsconsole guard disarm, then arm again")

    def _over(self, written: _Written) -> bool:
        now, up = self._clock.now(), self._uptime()
        if now < written.at:
            self.problem = trusted("not armed: the clock is before the time when it was armed; arm it again")
            return True
        if now >= written.until:
            return True
        same_start = bool(up.boot) and up.boot == written.boot
        passed = up.seconds - written.uptime
        return same_start and not 0 <= passed < written.until - written.at


def armed_words(armed: Armed | None, now: float) -> SafeText:
    """`armed by ann for another 7h`, or `not armed: it only says what it would do`."""
    if armed is None:
        return trusted("not armed: it only says what it would do")
    left = max(0.0, armed.until - now)
    many = f"{left // 3600:.0f}h" if left >= 7200 else f"{left // 60:.0f}m"
    return trusted(f"armed by {armed.by} for another {many}")
