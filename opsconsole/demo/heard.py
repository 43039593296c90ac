"""The receivers of a demo's playbook: its copy tells the application what the placeholders would tell nobody."""

from __future__ import annotations

from pathlib import Path

from opsconsole.demo.httpd import Request

PLACEHOLDER = "http://127.0.0.1:9/"
"""What the shipped playbooks name as pager, chat and mail: nothing listens there."""

_PATH = "/heard/"


def receivers_on_loopback(playbook: Path, base: str) -> None:
    """Rewrite the routing of a copy of a playbook: the server at `base` takes the place of its placeholders, so
    that notifications of the demo do not fail. Receivers that somebody put in their place stay."""
    path = playbook / "alertmanager.yaml"
    path.write_text(path.read_text("utf-8").replace(PLACEHOLDER, f"{base}{_PATH}"), "utf-8")


def heard(request: Request) -> bool:
    """Whether this is a notification."""
    return request.method == "POST" and request.path.startswith(_PATH)
