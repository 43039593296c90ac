"""GremlinsAI's manifests for the Prometheus Operator say what its other files say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.live

FOLDER = Path(__file__).resolve().parents[2] / "playbooks" / "gremlinsai"
STACK = FOLDER / "stack"
RELEASE = {"release": "prometheus-stack"}
"""The label without which kube-prometheus-stack leaves a manifest out."""


def document(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def monitors() -> dict[str, dict[str, Any]]:
    """The service monitors by the job that their targets get: the value of the label that `jobLabel` names."""
    found = list(yaml.safe_load_all((STACK / "servicemonitor.yaml").read_text("utf-8")))
    return {m["spec"]["selector"]["matchLabels"][m["spec"]["jobLabel"]]: m for m in found}


def scrapes() -> dict[str, dict[str, Any]]:
    """What `prometheus.yml` scrapes, by job, with the global defaults filled in."""
    config = document(STACK / "prometheus.yml")
    usual = {k: v for k, v in config["global"].items() if k.startswith("scrape_")}
    return {job["job_name"]: {"metrics_path": "/metrics", **usual, **job} for job in config["scrape_configs"]}


def test_the_prometheus_rule_has_the_groups_of_the_rules_file() -> None:
    manifest = document(STACK / "prometheusrule.yaml")
    assert (manifest["apiVersion"], manifest["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert manifest["metadata"]["labels"].items() >= RELEASE.items()
    assert manifest["spec"]["groups"] == document(FOLDER / "rules.yaml")["groups"]


def test_its_severities_add_up_to_thirteen() -> None:
    rules = [r for g in document(STACK / "prometheusrule.yaml")["spec"]["groups"] for r in g["rules"]]
    severities = [rule["labels"]["severity"] for rule in rules]
    assert {s: severities.count(s) for s in severities} == {"critical": 7, "warning": 4, "info": 2}


@pytest.mark.parametrize("job", ["gremlinsai-backend", "weaviate"])
def test_a_service_monitor_scrapes_what_prometheus_scrapes(job: str) -> None:
    monitor, scrape = monitors()[job], scrapes()[job]
    assert (monitor["apiVersion"], monitor["kind"]) == ("monitoring.coreos.com/v1", "ServiceMonitor")
    assert monitor["metadata"]["labels"].items() >= RELEASE.items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["path"] == scrape["metrics_path"]
    assert endpoint["interval"] == scrape["scrape_interval"]
    assert endpoint["scrapeTimeout"] == scrape["scrape_timeout"]


def test_no_service_monitor_is_for_an_unknown_job() -> None:
    assert set(monitors()) <= set(scrapes())


def test_the_jobs_are_those_that_the_playbook_wants_up() -> None:
    assert {job["name"] for job in document(FOLDER / "playbook.yaml")["jobs"]} == set(scrapes())
