"""`opsconsole check` on the accubooks stack as a whole process, with the playbook's whole set of checks, against
those who ask the same questions, or fewer."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

from bench.asked import asked_by, curl_script, one_curl
from bench.delay import Away
from bench.processes import PROGRAM, against
from opsconsole.config.playbooks import find_playbook, load_playbook
from opsconsole.demo.real import RealStack

OF_TOOLS = 0.50
OF_FLOOR = 1.50
AWAY = 0.050
OF_AWAY = 0.25

_FLOOR = "import sys, httpx, yaml, typer, msgspec; httpx.get(sys.argv[1])"


def main(runs: int = 7) -> None:
    playbook = load_playbook(find_playbook("accubooks"))
    panels = [p for d in playbook.dashboards for p in d.panels if p.thresholds]
    with RealStack() as end:
        argv = _argv(end.prometheus_url, end.alertmanager_url)
        requests = asked_by(argv)
        ours = [PROGRAM, *argv]

        tools = [["promtool", "query", "instant", end.prometheus_url, panel.queries[0].expr] for panel in panels]
        tools.append(["amtool", "--alertmanager.url", end.alertmanager_url, "alert", "query"])
        floor = [[sys.executable, "-c", _FLOOR, f"{end.prometheus_url}/-/ready"]]
        codes = (0, 1, 2, 3)

        found = against(ours, tools, runs=runs, ok=codes)
        what = f"check ({len(requests)} requests) against {len(panels)} promtool queries and one amtool"
        print(found.line(what, OF_TOOLS), flush=True)

        found = against(ours, floor, runs=runs, ok=codes)
        what = "check against an empty Python that imports httpx, yaml, typer, msgspec and asks once"
        print(found.line(what, OF_FLOOR), flush=True)

        found = against(ours, [curl_script(requests)], runs=runs, ok=codes)
        sides = f"(ours {found.ours:.3f} s, theirs {found.theirs:.3f} s)"
        what = f"check against a shell script of the same {len(requests)} requests with curl"
        print(f"{what}: ratio {found.ratio:.2f} {sides}, no target", flush=True)
        _through_delay(end.prometheus_url, end.alertmanager_url, runs)


def _through_delay(prometheus: str, alertmanager: str, runs: int) -> None:
    """Both through the same delay, in both directions half of it."""
    with (
        Away(urlsplit(prometheus).port or 0, AWAY) as far_prometheus,
        Away(urlsplit(alertmanager).port or 0, AWAY) as far_alertmanager,
    ):
        argv = _argv(f"http://127.0.0.1:{far_prometheus.port}", f"http://127.0.0.1:{far_alertmanager.port}")
        requests = asked_by(argv)
        ours, codes = [PROGRAM, *argv], (0, 1, 2, 3)
        script = against(ours, [curl_script(requests)], runs=runs, ok=codes)
        kept = against(ours, [one_curl(requests)], runs=runs, ok=codes)
    what = f"check through {AWAY * 1000:.0f} ms against the same {len(requests)} requests one after another"
    print(script.line(f"{what} (curl each)", OF_AWAY), flush=True)
    print(f"{what} (one curl that keeps its connections): ratio {kept.ratio:.2f}, no target", flush=True)


def _argv(prometheus: str, alertmanager: str) -> list[str]:
    return ["check", "--prometheus", prometheus, "--alertmanager", alertmanager, "--playbook", "accubooks"]


if __name__ == "__main__":
    main()
