"""Where a guard is looked for: on this machine by its file, elsewhere by its metrics in Prometheus."""

from __future__ import annotations

from opsconsole.clients.guardfile import GuardFiles
from opsconsole.clients.prometheus import PrometheusClient
from opsconsole.errors import SourceError
from opsconsole.model.guard import GuardStatus
from opsconsole.model.guardstatus import ASKED, GuardSeen, best, from_series, is_over
from opsconsole.state.told import Told
from opsconsole.text import SafeText, safe, trusted


async def look_for_guard(files: GuardFiles, prometheus: PrometheusClient | None, now: float) -> Told:
    """A GuardSeen. Prometheus is asked only when no guard runs here. Raises SourceError when nothing says whether
    there is one."""
    failed: SourceError | None = None
    here = None
    try:
        here = files.read(now)
    except SourceError as error:
        failed = error
    if prometheus is None or (here is not None and not is_over(here, now)):
        if here is None and failed is not None:
            raise failed
        return Told(_seen(files, here, _HERE))
    try:
        answer = await prometheus.query(ASKED)
    except SourceError as error:
        if here is None:
            raise failed or error from None
        return Told(_seen(files, here, _HERE))
    found = from_series(answer.series, now)
    there = found.get(files.context)
    status = best([one for one in (here, there) if one is not None], now)
    if status is None and failed is not None:
        raise failed
    others = tuple(safe(name, 60) for name in sorted(found) if name != files.context)[:5]
    seen = _seen(files, status, _HERE if status is here else _THERE, () if status else others)
    # A partial answer that has no guard does not say that there is none, where there should be one.
    return Told(seen, answer.warnings if files.expected or there is not None else ())


_HERE, _THERE = trusted("on this machine"), trusted("in Prometheus")


def _seen(
    files: GuardFiles, status: GuardStatus | None, where: SafeText, others: tuple[SafeText, ...] = ()
) -> GuardSeen:
    where = where if status is not None else trusted("nowhere")
    return GuardSeen(status=status, where=where, expected=files.expected, others=others)
