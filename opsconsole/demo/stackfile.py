"""A playbook's `stack/prometheus.yml`, changed so that it runs on loopback against the simulated application.

What the override changes, and nothing else:

- targets: each job of the system is scraped at its own loopback port; the job keeps its name, its static
  labels and its relabelling, and gets the instance label of the simulated target. `prometheus` and
  `alertmanager` as jobs scrape the servers of the stack themselves. TLS and credentials of a job go.
- `rule_files`: the (compressed) rules of the playbook. The address of Alertmanager: the stack's.
- intervals, when rules are compressed: everything is scraped and evaluated every second.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from opsconsole.demo.systems.base import Labels, System
from opsconsole.errors import OpsError
from opsconsole.text import safe

FILE = Path("stack") / "prometheus.yml"

_UNREACHABLE = ("scheme", "tls_config", "basic_auth", "authorization", "oauth2", "proxy_url", "metrics_path")
"""Keys of a job that only mean something to the target it really has."""

_INTERVALS = ("scrape_interval", "scrape_timeout")


def read_stack(playbook: Path, system: System) -> dict[str, Any]:
    """The configuration of a playbook's folder; a plain one with the system's jobs when it ships none.

    Raises OpsError when it cannot be read, or its jobs are not those of the system.
    """
    path = playbook / FILE
    if not path.is_file():
        jobs = [{"job_name": job.name, "static_configs": [{"targets": [job.instance]}]} for job in system.jobs]
        return {"global": {"scrape_interval": "15s", "evaluation_interval": "15s"}, "scrape_configs": jobs}
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
        names = {str(job["job_name"]) for job in content["scrape_configs"]}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError) as error:
        raise OpsError(f"cannot be read: {safe(str(error), 200)}", where=str(FILE)) from error
    wanted = {job.name for job in system.jobs}
    if names - {"prometheus", "alertmanager"} != wanted - {"prometheus", "alertmanager"}:
        raise OpsError(
            f"has the jobs {safe(', '.join(sorted(names)), 200)}; "
            f"the simulated {system.name} has {', '.join(sorted(wanted))}",
            where=str(FILE),
        )
    assert isinstance(content, dict)
    return content


def static_labels(content: Mapping[str, Any], system: System) -> dict[str, Labels]:
    """The labels that the file's static targets add, by job of the system."""
    own = {job.name for job in system.jobs}
    found: dict[str, Labels] = {}
    for job in content["scrape_configs"]:
        for static in job.get("static_configs") or ():
            if job["job_name"] in own:
                labels = static.get("labels") or {}
                found[job["job_name"]] = tuple((k, str(v)) for k, v in labels.items() if k != "instance")
    return found


def on_loopback(
    content: Mapping[str, Any],
    system: System,
    *,
    ports: Mapping[str, int],
    own: Mapping[str, int],
    rules: Path,
    interval: str | None,
) -> dict[str, Any]:
    """The configuration with the overrides. `ports` are the loopback ports of the system's jobs, `own` those
    of the servers `prometheus` and `alertmanager`; `interval` None keeps the file's own intervals."""
    settings = dict(content.get("global") or {})
    if interval is not None:
        settings |= {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
    labels = static_labels(content, system)
    instances = {job.name: job.instance for job in system.jobs}
    jobs: list[dict[str, Any]] = []
    for job in content["scrape_configs"]:
        name = job["job_name"]
        dropped = (*_UNREACHABLE, *(_INTERVALS if interval is not None else ()))
        changed = {k: v for k, v in job.items() if k not in dropped and not k.endswith("_sd_configs")}
        target: dict[str, Any] = {"targets": [f"127.0.0.1:{ports.get(name) or own[name]}"]}
        target["labels"] = dict(labels.get(name, ()))
        jobs.append({**changed, "static_configs": [target]})
        if name in instances:
            # Last, so that no relabelling of the file leads away from the simulated target.
            jobs[-1]["relabel_configs"] = [*(job.get("relabel_configs") or ()), *_at(ports[name], instances[name])]
    server = f"127.0.0.1:{own['alertmanager']}"
    return {
        **content,
        "global": settings,
        "rule_files": [str(rules)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [server]}]}]},
        "scrape_configs": jobs,
    }


def _at(port: int, instance: str) -> list[dict[str, str]]:
    return [
        {"target_label": "__address__", "replacement": f"127.0.0.1:{port}"},
        {"target_label": "__metrics_path__", "replacement": "/metrics"},
        {"target_label": "instance", "replacement": instance.replace("$", "$$")},
    ]
