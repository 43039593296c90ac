"""What stands around the simulated GremlinsAI backend: Weaviate, kube-state-metrics and a node."""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.demo.systems.base import Job, Metric, Moment, Sample
from opsconsole.demo.systems.machines import NODE, node
from opsconsole.demo.systems.parts import labels

WEAVIATE = "weaviate"
KUBE = "kube-state-metrics"
MACHINE = "node-exporter"

# The exporters of the cluster outlive the backend: a fault of their own, which the system does not offer, keeps
# `down` from taking them along.
JOBS = (
    Job(name=WEAVIATE, instance="weaviate:2112", down="weaviate_down"),
    Job(name=KUBE, instance="kube-state-metrics:8080", down="cluster_down"),
    Job(name=MACHINE, instance="node-a:9100", down="cluster_down"),
)

_NAMESPACE = "gremlinsai"
_BACKEND = "gremlinsai-backend-blue-6d9c7f5b48-x8k2p"
_VECTORS = "weaviate-7f6b9d8c54-h5n9r"
_PODS = (
    (_BACKEND, "backend"),
    ("gremlinsai-backend-green-5b7f8c6d9f-t4wqz", "backend"),
    (_VECTORS, "weaviate"),
    ("ollama-84c6d5b7f9-q2m6v", "ollama"),
)
"""Pod and container."""

_NODES = ("node-a", "node-b", "node-c")
_CLASSES = (("Document", 184_000.0), ("Conversation", 52_500.0), ("Tool", 340.0))
"""Weaviate's classes and their objects."""

METRICS = (
    Metric("object_count", "gauge", "Number of objects by class and shard."),
    Metric("concurrent_queries_count", "gauge", "Number of concurrently running query operations."),
    Metric("go_goroutines", "gauge", "Number of goroutines that currently exist."),
    Metric(
        "kube_pod_container_status_restarts_total", "counter", "The number of container restarts per container."
    ),
    Metric("kube_pod_status_ready", "gauge", "Describes whether the pod is ready to serve requests."),
    Metric("kube_node_status_condition", "gauge", "The condition of a cluster node."),
    *NODE,
)


def _weaviate(m: Moment) -> Iterator[Sample]:
    for name, count in _CLASSES:
        yield WEAVIATE, "object_count", labels(class_name=name, shard_name="main"), count
    queries = labels(class_name="Document", query_type="hybrid")
    yield WEAVIATE, "concurrent_queries_count", queries, float(round(2.0 * m.wobble("queries", 0.6)))
    yield WEAVIATE, "go_goroutines", (), float(round(210.0 * m.wobble("goroutines", 0.08)))


def _kubernetes(m: Moment) -> Iterator[Sample]:
    gone = {_BACKEND: max(m.fault("down"), m.fault("crash")), _VECTORS: m.fault("weaviate_down")}
    for pod, container in _PODS:
        own = labels(container=container, namespace=_NAMESPACE, pod=pod)
        # A process that dies right after its start: one restart in 15 s.
        restarts = m.fault("crash") / 15.0 if pod == _BACKEND else 0.0
        yield KUBE, "kube_pod_container_status_restarts_total", own, restarts
        ready = 0.0 if gone.get(pod, 0.0) > 0.5 else 1.0
        for condition, value in (("true", ready), ("false", 1.0 - ready), ("unknown", 0.0)):
            where = labels(condition=condition, namespace=_NAMESPACE, pod=pod)
            yield KUBE, "kube_pod_status_ready", where, value
    for name in _NODES:
        ready = 0.0 if name == "node-b" and m.fault("node") > 0.5 else 1.0
        for status, value in (("true", ready), ("false", 0.0), ("unknown", 1.0 - ready)):
            where = labels(condition="Ready", node=name, status=status)
            yield KUBE, "kube_node_status_condition", where, value


def samples(m: Moment) -> Iterator[Sample]:
    """Everything that Weaviate and the cluster's exporters export at this moment."""
    yield from _weaviate(m)
    yield from _kubernetes(m)
    yield from node(
        MACHINE,
        m,
        cpu=0.34 * m.daily(0.2) * m.wobble("node-cpu", 0.06),
        memory=0.58 * m.wobble("node-memory", 0.02) + 0.08 * m.fault("memory"),
        disk=0.57 + 0.36 * m.fault("disk"),
    )
