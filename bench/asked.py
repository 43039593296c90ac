"""What a command asks of its servers, so that a peer can be made to ask the same."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_RECORD = """
import json, sys
from opsconsole.clients.transport import Transport
real = Transport._exchange
async def noted(self, request, where, *rest):
    line = [request.method, str(request.url), request.content.decode(), request.headers.get("content-type", "")]
    print("ASKED " + json.dumps(line), file=sys.stderr)
    return await real(self, request, where, *rest)
Transport._exchange = noted
from opsconsole.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Request:
    """One request: its body is "" for a GET."""

    method: str
    url: str
    body: str
    content_type: str

    def curl(self) -> list[str]:
        """The arguments with which curl asks the same and throws the answer away."""
        data = ["--data-binary", self.body, "-H", f"Content-Type: {self.content_type}"] if self.body else []
        return ["-sS", "-o", os.devnull, "--compressed", "-X", self.method, *data, self.url]


def asked_by(argv: Sequence[str]) -> list[Request]:
    """The requests of one run of `opsconsole` with these arguments, in the order in which they went out."""
    done = subprocess.run([sys.executable, "-c", _RECORD, *argv], capture_output=True, text=True, timeout=120)
    found = [Request(*json.loads(x[6:])) for x in done.stderr.splitlines() if x.startswith("ASKED ")]
    if not found:
        raise RuntimeError(f"nothing was asked: {done.stderr[-500:]}")
    return found


def curl_script(requests: Sequence[Request]) -> list[str]:
    """A shell that runs one curl after another."""
    return ["sh", "-c", "\n".join(shlex.join(["curl", *request.curl()]) for request in requests)]


def one_curl(requests: Sequence[Request]) -> list[str]:
    """One curl that asks one after another on connections that it keeps."""
    words: list[str] = ["curl"]
    for request in requests:
        words += ([] if len(words) == 1 else ["--next"]) + request.curl()
    return words
