"""The network between a console under test and the demo: addresses that never vary, and faults."""

from __future__ import annotations

import json
import socket

import httpx

from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.clients.direct import DirectTransport
from opsconsole.clients.prometheus import PrometheusClient
from opsconsole.clients.sources import Sources
from opsconsole.clients.tls import plain_context
from opsconsole.clients.transport import Transport
from opsconsole.clock import ManualClock
from opsconsole.config.schema import Context, Endpoint
from opsconsole.demo.embedded import DemoEndpoints
from opsconsole.text import trusted

PROMETHEUS, ALERTMANAGER = "http://prometheus.demo:9090", "http://alertmanager.demo:9093"
FLAGS_FILE = trusted("/srv/flags/flags.flagd.json")
"""What the screens show instead of the addresses and the path of this run."""


class Wires:
    """Where the shown hosts lead. A host in `down` refuses connections; `canned` answers a path (after the
    host) with JSON instead of the demo; `busy` is the number of requests that are under way."""

    def __init__(self, endpoints: DemoEndpoints) -> None:
        self._urls = {
            httpx.URL(PROMETHEUS).host: httpx.URL(endpoints.prometheus_url),
            httpx.URL(ALERTMANAGER).host: httpx.URL(endpoints.alertmanager_url),
        }
        self.down: set[str] = set()
        self.canned: dict[str, object] = {}
        self.busy = 0

    async def send(self, network: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
        if request.url.path in self.canned:
            return httpx.Response(200, content=json.dumps(self.canned[request.url.path]).encode())
        real = self._urls[request.url.host]
        with socket.socket() as closed:
            # Bound and not listening: nobody else can have the port, and connections to it are refused.
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1] if request.url.host in self.down else real.port
            request.url = request.url.copy_with(host=real.host, port=port)
            return await network.handle_async_request(request)


class Wire(httpx.AsyncBaseTransport):
    """The network of one client."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires
        self._network = DirectTransport(plain_context())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._wires.busy += 1
        try:
            return await self._wires.send(self._network, request)
        finally:
            self._wires.busy -= 1

    async def aclose(self) -> None:
        await self._network.aclose()


def sources_of(context: Context, clock: ManualClock, wires: Wires) -> Sources:
    """The clients of a demo's context, over wires."""

    def transport(endpoint: Endpoint) -> Transport:
        return Transport(endpoint, clock=clock, inner=Wire(wires))

    sources = Sources(context, clock)
    assert context.prometheus is not None
    assert sources.flags is not None
    sources.prometheus = PrometheusClient(transport(context.prometheus))
    for cluster in context.alertmanager:
        members = [transport(member) for member in cluster.members]
        sources.clusters[cluster.name] = AlertmanagerCluster(cluster.name, members)
    sources.flags.source = FLAGS_FILE
    return sources
