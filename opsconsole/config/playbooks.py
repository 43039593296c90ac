"""Finding and loading playbooks."""

from __future__ import annotations

from pathlib import Path

from opsconsole.config import playbook_keys as keys
from opsconsole.config.load import is_there, read_root
from opsconsole.config.nodes import Problems
from opsconsole.config.panels import read_dashboards
from opsconsole.config.paths import shipped_playbooks
from opsconsole.config.playbook_evidence import read_evidence
from opsconsole.config.playbook_rules import read_rules, runbook_names
from opsconsole.config.playbook_sections import (
    MAX_RESPONSE,
    read_by_severity,
    read_date,
    read_escalation,
    read_guard,
    read_oncall,
    read_probes,
    read_severities,
)
from opsconsole.config.playbook_silences import read_silences
from opsconsole.config.reader import Section, Value, nearest
from opsconsole.config.runbooks import Shelf, assign, open_shelf
from opsconsole.errors import ConfigError, Problem, UsageError
from opsconsole.model.playbook import AlertGuide, Dashboard, JobSpec, Playbook
from opsconsole.text import safe

FILE = "playbook.yaml"

_MAX_RETENTION = 100 * 365 * 86400.0


def list_playbooks() -> tuple[Path, ...]:
    """The folders of the shipped playbooks, by name."""
    folder = shipped_playbooks()
    if not folder.is_dir():
        return ()
    return tuple(sorted(path for path in folder.iterdir() if (path / FILE).is_file()))


def find_playbook(name_or_dir: str) -> Path:
    """The folder of a playbook: a bare word names a shipped one, anything with a slash or a leading dot or
    tilde is a folder. Raises UsageError that names the nearest shipped playbook."""
    is_folder = "/" in name_or_dir or name_or_dir.startswith((".", "~"))
    if is_folder:
        try:
            folder = Path(name_or_dir).expanduser()
        except RuntimeError:
            folder = Path(name_or_dir)
        if folder.name == FILE:
            folder = folder.parent
        if not is_there(folder / FILE):
            raise UsageError(f"there is no {FILE} in {safe(str(folder))}", hint="name a playbook's folder")
        return folder
    shipped = {path.name: path for path in list_playbooks()}
    if name_or_dir not in shipped:
        name = safe(name_or_dir, 60)
        raise UsageError(
            f"there is no shipped playbook `{name}`",
            hint=f"{nearest(name_or_dir, shipped)}; a folder of your own needs a slash: ./{name}",
        )
    return shipped[name_or_dir]


def load_playbook(path: Path, *, runbooks: bool = True) -> Playbook:
    """The playbook in a folder. Raises ConfigError with every problem of `playbook.yaml` and the runbooks;
    without `runbooks` these are neither read nor checked."""
    playbook, problems = read_playbook(path, runbooks=runbooks)
    if playbook is None or problems:
        raise ConfigError(problems)
    return playbook


def read_playbook(path: Path, *, runbooks: bool = True) -> tuple[Playbook | None, tuple[Problem, ...]]:
    """As much of a folder's playbook as can be understood, and every problem; None when `playbook.yaml`
    holds no mapping. What has a problem has its default value."""
    problems = Problems(str(path / FILE))
    root = read_root(path / FILE, problems)
    shelf = open_shelf(path) if runbooks else None
    playbook = None if root is None else _playbook(root, path, shelf)
    own = sorted(problems.found, key=lambda p: p.line)
    rest = sorted(shelf.problems if shelf is not None else [], key=lambda p: (p.file, p.line))
    return playbook, (*own, *rest)


def _playbook(root: Section, path: Path, shelf: Shelf | None) -> Playbook:
    root.only(keys.ROOT)
    dashboards = read_dashboards(root)
    guides, named = _alerts(root, dashboards)
    system = root.text("system", required=True)
    reviewed = read_date(root, "reviewed")
    oncall = read_oncall(root)
    rules, rules_problem = read_rules(path, {alert: file for alert, (file, _) in named.items()})
    needs = _prometheus(root)
    return Playbook(
        system=system,
        title=safe(root.text("title", system, outside=True), 80),
        folder=str(path),
        dashboards=dashboards,
        jobs=_jobs(root),
        response=read_by_severity(root, "response"),
        acknowledge=read_by_severity(root, "acknowledge"),
        alerts=guides,
        runbooks=assign(shelf, named) if shelf is not None else {},
        flag_panel=_panel(root, "flag_panel", dashboards),
        evidence=read_evidence(root, lambda section, key: _panel(section, key, dashboards)),
        owner=safe(root.text("owner"), 80),
        reviewed=safe(reviewed.isoformat() if reviewed else ""),
        severities=read_severities(root),
        probes=read_probes(root),
        oncall=oncall,
        escalation=read_escalation(root, oncall),
        guard=read_guard(root),
        silences=read_silences(root),
        deadman=root.text("deadman"),
        rules=rules,
        rules_problem=rules_problem,
        runbook_names=runbook_names(path),
        retention=needs.duration("retention", 0.0, 3600.0, _MAX_RETENTION) if needs is not None else 0.0,
        strict=needs.boolean("strict") if needs is not None else False,
    )


def _prometheus(root: Section) -> Section | None:
    section = root.section("prometheus", "{retention: 15d}")
    if section is not None:
        section.only(keys.PROMETHEUS)
    return section


def _jobs(root: Section) -> tuple[JobSpec, ...]:
    jobs: list[JobSpec] = []
    for section in root.sections("jobs", "- {name: …, instances: 1}"):
        section.only(keys.JOB)
        name = section.text("name", required=True)
        if any(name == job.name for job in jobs):
            section.problem(f"the job {name} is here twice", "keep one", at="name")
        jobs.append(
            JobSpec(
                name=name,
                instances=section.whole("instances", 1, 1, keys.MAX_INSTANCES),
                interval=section.duration("interval", 0.0, 1.0, 3600.0),
            )
        )
    return tuple(jobs)


def _alerts(
    root: Section, dashboards: tuple[Dashboard, ...]
) -> tuple[dict[str, AlertGuide], dict[str, tuple[str, Value]]]:
    """The guides by alert name, and the runbook files that they name."""
    guides: dict[str, AlertGuide] = {}
    named: dict[str, tuple[str, Value]] = {}
    section = root.section("alerts", "{HighErrorRate: {response: 5m}}")
    for name, value in section.entries() if section is not None else ():
        body = value.section("{response: 5m, panel: …, runbook: …}")
        if body is None:
            continue
        body.only(keys.ALERT)
        guides[name] = AlertGuide(
            name=name,
            response=body.duration("response", 0.0, 1.0, MAX_RESPONSE),
            panel=_panel(body, "panel", dashboards),
            distinguish=body.texts("distinguish"),
        )
        file = body.text("runbook")
        blame = body.get("runbook")
        if file and blame is not None:
            named[name] = (file, blame)
    return guides, named


def _panel(section: Section, key: str, dashboards: tuple[Dashboard, ...]) -> str:
    """The panel id under a key; noted when no panel has it."""
    name = section.text(key)
    known = {panel.id for dashboard in dashboards for panel in dashboard.panels if panel.id}
    if name and name not in known:
        section.problem(f"there is no panel `{safe(name, 60)}`", nearest(name, known), at=key)
    return name
