"""Whether the guard may write: asked of its ports anew each time, and any doubt forbids it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from opsconsole.guard.decisions import Permission
from opsconsole.guard.ports import Arming, KillSwitch, Lease
from opsconsole.model.guard import Armed
from opsconsole.text import SafeText, safe, trusted

T = TypeVar("T")


class Gate:
    """The ports that permit. `leads`, `armed` and `killed` are as last asked; `problem` hears of a port that
    fails, by its name."""

    def __init__(
        self,
        arming: Arming,
        kill_switch: KillSwitch,
        lease: Lease,
        problem: Callable[[str, str], None],
        *,
        read_only: bool,
    ) -> None:
        self._arming = arming
        self._kill_switch = kill_switch
        self._lease = lease
        self._problem = problem
        self._read_only = read_only
        self.leads = False
        self.armed: Armed | None = None
        self.killed = trusted("")

    def lead(self) -> bool:
        """Take or renew the lease; whether this guard has only now become the one that acts."""
        before, self.leads = self.leads, self.safely("lease", self._lease.hold, False)
        return self.leads and not before

    def refusal(self) -> SafeText:
        """Why nothing may be written, "" when something may."""
        self.killed = self.safely(
            "kill switch", self._kill_switch.pulled, trusted("the kill switch cannot be looked at")
        )
        self.armed = self.safely("arming", self._arming.armed, None)
        if self._read_only:
            return trusted("the context is read-only")
        if self.killed:
            return safe(self.killed, 300)
        if self.armed is None:
            return trusted("not armed")
        if not self.leads or not self.safely("lease", self._lease.hold, False):
            self.leads = False
            return safe(f"another guard has the lease: {self.holder() or 'not known which'}", 300)
        return trusted("")

    def permission(self) -> Permission:
        why = self.refusal()
        return Permission(granted=not why, why=why, follower=not self.leads)

    def holder(self) -> SafeText:
        """Who has the lease."""
        return self.safely("lease", self._lease.holder, trusted(""))

    def release(self) -> None:
        self._lease.release()

    def safely(self, what: str, ask: Callable[[], T], otherwise: T) -> T:
        """The answer of a port; `otherwise`, which permits the least, when it fails."""
        try:
            return ask()
        except Exception as error:  # noqa: BLE001  whatever fails, nothing is permitted
            self._problem(what, f"{what}: {safe(str(error), 200) or type(error).__name__}")
            return otherwise
