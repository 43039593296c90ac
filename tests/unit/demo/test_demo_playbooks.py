"""Which playbooks `opsconsole demo` can run, and what it says when it cannot."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml

from opsconsole.cli.demo import demo_servers
from opsconsole.config.playbooks import find_playbook
from opsconsole.demo import real
from opsconsole.demo.heard import PLACEHOLDER, receivers_on_loopback
from opsconsole.demo.real import RealStack
from opsconsole.demo.stackfile import on_loopback, read_stack, static_labels
from opsconsole.demo.systems.registry import find_system, system_names
from opsconsole.errors import OpsError, UsageError


def test_the_embedded_demo_knows_one_system() -> None:
    with pytest.raises(UsageError, match="the embedded demo knows accubooks only, not todo") as caught:
        demo_servers(real=False, playbook="todo")
    assert "--real --playbook todo" in caught.value.hint


@pytest.mark.parametrize("with_servers", [True, False])
def test_an_unknown_playbook_names_the_nearest(with_servers: bool) -> None:
    with pytest.raises(UsageError, match="no simulated system `todoo`") as caught:
        demo_servers(real=with_servers, playbook="todoo")
    assert "todo" in caught.value.hint


def test_without_prometheus_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real, "missing_programs", lambda: ())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "prometheus_client" else name)
    monkeypatch.setattr(real, "find_system", lambda name: name)
    stack = RealStack()
    with pytest.raises(OpsError, match="prometheus-client") as caught:
        stack.start()
    assert "pip install 'opsconsole[demo]'" in caught.value.hint
    assert stack.pids == ()


@pytest.mark.parametrize("name", system_names())
def test_the_stack_keeps_the_file_but_for_addresses_and_intervals(name: str) -> None:
    system = find_system(name)
    content = read_stack(find_playbook(name), system)
    ports = {job.name: 40000 + i for i, job in enumerate(system.jobs)}
    own = {"prometheus": 41000, "alertmanager": 41001}
    changed = on_loopback(content, system, ports=ports, own=own, rules=Path("/r.yaml"), interval="1s")
    kept = {"global", "rule_files", "alerting", "scrape_configs"}
    assert {k: v for k, v in changed.items() if k not in kept} == {
        k: v for k, v in content.items() if k not in kept
    }
    assert changed["rule_files"] == ["/r.yaml"]
    assert changed["global"]["scrape_interval"] == changed["global"]["evaluation_interval"] == "1s"
    assert "127.0.0.1:41001" in str(changed["alerting"])
    names = [job["job_name"] for job in content["scrape_configs"]]
    assert [job["job_name"] for job in changed["scrape_configs"]] == names
    assert {job.name for job in system.jobs} <= set(names)
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in changed["scrape_configs"]}
    assert targets == {n: [f"127.0.0.1:{ports.get(n) or own[n]}"] for n in names}
    assert "scrape_interval" not in str(changed["scrape_configs"])
    as_it_is = on_loopback(content, system, ports=ports, own=own, rules=Path("/r.yaml"), interval=None)
    assert as_it_is["global"] == content["global"]


STACK = """\
global: {scrape_interval: 15s, external_labels: {cluster: a}}
scrape_configs:
  - job_name: accubooks
    scrape_interval: 5s
    scheme: https
    authorization: {credentials_file: /secret}
    dns_sd_configs: [{names: [accubooks.example]}]
    relabel_configs: [{target_label: zone, replacement: b}]
    static_configs: [{targets: [a:1, b:1], labels: {environment: production, instance: x}}]
  - job_name: prometheus
    static_configs: [{targets: [localhost:9090]}]
"""


def folder(tmp_path: Path, text: str) -> Path:
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "prometheus.yml").write_text(text)
    return tmp_path


def test_labels_and_relabelling_stay_and_what_needs_the_true_target_goes(tmp_path: Path) -> None:
    system = find_system("accubooks")
    content = read_stack(folder(tmp_path, STACK), system)
    assert static_labels(content, system) == {"accubooks": (("environment", "production"),)}
    own = {"prometheus": 2, "alertmanager": 3}
    changed = on_loopback(content, system, ports={"accubooks": 1}, own=own, rules=Path("r"), interval="1s")
    job, itself = changed["scrape_configs"]
    assert set(job) == {"job_name", "relabel_configs", "static_configs"}
    assert job["static_configs"] == [{"targets": ["127.0.0.1:1"], "labels": {"environment": "production"}}]
    assert job["relabel_configs"][0] == {"target_label": "zone", "replacement": "b"}
    assert {"target_label": "instance", "replacement": "accubooks-1:3000"} in job["relabel_configs"]
    assert itself["static_configs"][0]["targets"] == ["127.0.0.1:2"]
    assert changed["global"]["external_labels"] == {"cluster": "a"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scrape_configs: [{job_name: other}]", "has the jobs other; the simulated accubooks has accubooks"),
        ("scrape_configs: [", "cannot be read"),
        ("[]", "cannot be read"),
        ("scrape_configs: 5", "cannot be read"),
    ],
)
def test_a_stack_that_does_not_fit_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OpsError, match=message) as caught:
        read_stack(folder(tmp_path, text), find_system("accubooks"))
    assert caught.value.where == "stack/prometheus.yml"


def test_a_playbook_without_a_stack_gets_a_plain_one(tmp_path: Path) -> None:
    content = read_stack(tmp_path, find_system("accubooks"))
    assert yaml.safe_load(yaml.safe_dump(content))["scrape_configs"][0]["job_name"] == "accubooks"


@pytest.mark.parametrize("name", system_names())
def test_the_placeholders_of_receivers_are_heard_and_nothing_else_changes(name: str, tmp_path: Path) -> None:
    file, before = tmp_path / "alertmanager.yaml", (find_playbook(name) / "alertmanager.yaml").read_text()
    file.write_text(before)
    receivers_on_loopback(tmp_path, "http://127.0.0.1:40000")
    after = file.read_text()
    assert PLACEHOLDER in before
    assert ":9/" not in str(yaml.safe_load(after))
    assert after.replace("http://127.0.0.1:40000/heard/", PLACEHOLDER) == before
