"""playbooks/compose.yaml: sound, and about the files that are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.support.compose_schema import COMPOSE

PLAYBOOKS = Path(__file__).resolve().parents[3] / "playbooks"
SYSTEMS = sorted(path.parent.name for path in PLAYBOOKS.glob("*/playbook.yaml"))
FILE: dict[str, Any] = yaml.safe_load((PLAYBOOKS / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = FILE["services"]

PORT = re.compile(r"127\.0\.0\.1:\$\{[A-Z0-9]+_[A-Z]+_PORT:-(\d+)\}:(\d+)")


def mounts() -> list[tuple[str, str, str]]:
    """Service, source and target with its mode, of every mount."""
    found = []
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source, _, target = volume.partition(":")
            found.append((name, source, target))
    return found


def test_it_is_what_compose_understands() -> None:
    jsonschema.Draft202012Validator(COMPOSE).validate(FILE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"services": {"a": {"image": "a:1", "port": ["1:1"]}}},
        {"services": {"a": {"volumes": []}}},
        {"services": {"a": {"image": "a:1", "restart": "sometimes"}}},
        {"services": {"a b": {"image": "a:1"}}},
        {"services": {"a": {"image": "a:1", "healthcheck": {"test": ["curl", "x"]}}}},
        {"service": {}},
    ],
)
def test_the_schema_refuses_a_slip(wrong: dict[str, Any]) -> None:
    assert not jsonschema.Draft202012Validator(COMPOSE).is_valid(wrong)


def test_each_system_has_its_own_two_servers() -> None:
    for system in SYSTEMS:
        for server in ("prometheus", "alertmanager"):
            service = SERVICES[f"{system}-{server}"]
            assert service["profiles"] == [system]
            assert list(service["networks"]) == [system]
    assert {profile for service in SERVICES.values() for profile in service["profiles"]} == set(SYSTEMS)


def test_each_server_reads_the_files_of_its_playbook() -> None:
    for system in SYSTEMS:
        read = {(source, target) for name, source, target in mounts() if name.startswith(f"{system}-")}
        assert read >= {
            (f"./{system}/stack/prometheus.yml", "/etc/prometheus/prometheus.yml:ro"),
            (f"./{system}/rules.yaml", "/etc/prometheus/rules.yaml:ro"),
            (f"./{system}/alertmanager.yaml", "/etc/alertmanager/alertmanager.yaml:ro"),
            (f"{system}-prometheus", "/prometheus"),
            (f"{system}-alertmanager", "/alertmanager"),
        }


def test_every_mount_is_there() -> None:
    for name, source, target in mounts():
        if source.startswith("."):
            assert (PLAYBOOKS / source).is_file(), source
            assert target.endswith(":ro"), source
        elif not source.startswith("/"):
            assert source in FILE["volumes"], source
        else:
            assert name in {"node-exporter", "cadvisor"}
            assert ":ro" in target
    assert set(FILE["volumes"]) == {source for _, source, _ in mounts() if source[0] not in "./"}


def test_every_network_is_there() -> None:
    assert set(FILE["networks"]) == set(SYSTEMS)
    assert all(set(service["networks"]) <= set(FILE["networks"]) for service in SERVICES.values())


def test_the_alertmanager_has_the_name_that_prometheus_calls() -> None:
    for system in SYSTEMS:
        network = SERVICES[f"{system}-alertmanager"]["networks"][system]
        config = yaml.safe_load((PLAYBOOKS / system / "stack" / "prometheus.yml").read_text("utf-8"))
        (managers,) = config["alerting"]["alertmanagers"]
        (target,) = managers["static_configs"][0]["targets"]
        assert network["aliases"] == [target.split(":")[0]]


def test_an_exporter_is_in_the_network_of_each_system_that_scrapes_it() -> None:
    for system in SYSTEMS:
        text = (PLAYBOOKS / system / "stack" / "prometheus.yml").read_text("utf-8")
        for exporter in ("node-exporter", "cadvisor"):
            scraped = f"'{exporter}:" in text
            assert (system in SERVICES[exporter]["networks"]) is scraped
            assert (system in SERVICES[exporter]["profiles"]) is scraped


def test_ports_are_distinct_and_on_loopback() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    found = [PORT.fullmatch(port) for port in ports]
    assert all(found)
    outside = [match[1] for match in found if match]
    assert len(set(outside)) == len(outside) == 2 * len(SYSTEMS)
    assert {match[2] for match in found if match} == {"9090", "9093"}


def test_every_image_has_its_version() -> None:
    for service in SERVICES.values():
        assert re.fullmatch(r"[\w./-]+:v\d+\.\d+\.\d+", service["image"])


def test_data_are_kept_for_a_time_that_is_said() -> None:
    for system in SYSTEMS:
        command = SERVICES[f"{system}-prometheus"]["command"]
        assert any(re.fullmatch(r"--storage\.tsdb\.retention\.time=\d+[hd]", word) for word in command)
        assert "--config.file=/etc/prometheus/prometheus.yml" in command
