"""`opsconsole check` against ten `promtool query instant` and one `amtool alert query`, one after another."""

from __future__ import annotations

from bench.processes import PROGRAM, against
from opsconsole.config.playbooks import find_playbook, load_playbook
from opsconsole.demo.real import RealStack

TARGET = 0.60


def main(runs: int = 7) -> None:
    playbook = load_playbook(find_playbook("accubooks"))
    panels = [p for d in playbook.dashboards for p in d.panels if p.thresholds]
    with RealStack() as end:
        ours = [
            *(PROGRAM, "check"),
            *("--prometheus", end.prometheus_url, "--alertmanager", end.alertmanager_url),
            *("--playbook", "accubooks"),
        ]
        theirs = [
            ["promtool", "query", "instant", end.prometheus_url, panel.queries[0].expr] for panel in panels[:10]
        ]
        theirs.append(["amtool", "--alertmanager.url", end.alertmanager_url, "alert", "query"])
        found = against(ours, theirs, runs=runs, ok=(0, 1, 2, 3))
    print(found.line("check against ten promtool queries and one amtool, whole processes", TARGET))


if __name__ == "__main__":
    main()
