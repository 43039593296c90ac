"""The probes of a demo's playbook: its copy names loopback addresses in place of the system's hosts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from opsconsole.config.playbooks import FILE
from opsconsole.demo.httpd import Request, Response, json_response, text_response

HEALTH = frozenset({"/health", "/api/health", "/api/v1/health", "/v1/.well-known/ready", "/api/tags"})
"""Where the systems of the shipped playbooks tell whether they are well."""

_URL = re.compile(r"(\burl:\s*['\"]?)https?://([^/:'\"\s]+)(?::\d+)?")


def on_loopback(playbook: Path, base: Callable[[str], str]) -> None:
    """Rewrite a copy of a playbook: `base` gives the URL that takes the place of a host's."""
    path = playbook / FILE
    text = path.read_text("utf-8")
    path.write_text(_URL.sub(lambda m: f"{m[1]}{base(m[2])}", text), "utf-8")


def well(request: Request) -> Response:
    """What a system says that is well."""
    return json_response({"status": "healthy"}) if request.path in HEALTH else text_response("not found\n", 404)
