"""The process of a home-made flag service."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.servers import Server


class Service(Server):
    """`flag_service.py`, with the requests that tests make of it."""

    def command(self) -> list[str]:
        return [sys.executable, str(Path(__file__).with_name("flag_service.py")), str(self.port)]

    def ask(self, method: str, path: str, data: object = None) -> Any:
        headers = {"Authorization": "Bearer right", "Content-Type": "application/json"}
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(f"{self.url}/api{path}", body, headers, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as reply:
            return json.loads(reply.read())

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/writes") is not None
        except OSError:
            return False
