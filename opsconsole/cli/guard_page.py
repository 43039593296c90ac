"""What a running guard asks Alertmanager, so that its page joins the alert's own."""

from __future__ import annotations

from collections.abc import Sequence

from opsconsole.cli.wiring import context_info, load_playbooks
from opsconsole.clients.sources import Sources
from opsconsole.clock import Clock
from opsconsole.config.schema import Context
from opsconsole.errors import SourceError
from opsconsole.guard.paging import Pager
from opsconsole.model.alerts import Alert
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import ClusterReading


def make_pager(context: Context, sources: Sources, clock: Clock) -> Pager:
    """A pager of the context, which asks when there is something to tell and not before."""
    playbooks = load_playbooks(context, runbooks=False)
    engine = Engine(context_info(context), sources, (), clock)

    async def look() -> tuple[Sequence[Alert], ClusterReading | None]:
        """The alerts of all clusters, and the cluster when there is but one: of several none tells for sure."""
        snapshot = await engine.collect(["alerts", "members"])
        failed = [c.alerts.failure for c in snapshot.clusters if c.alerts.failure is not None]
        if failed and not snapshot.alerts():
            raise SourceError(failed[0].message)
        return snapshot.alerts(), snapshot.clusters[0] if len(snapshot.clusters) == 1 else None

    return Pager(context.name, playbooks, look)
