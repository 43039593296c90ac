"""The home-made flag system of `flag_store` as a service with an HTTP API: `flag_service.py PORT`.

The token is `right`. The flags are in the memory of the process. Below /api it answers; below /deaf it does the
same, but answers no request that changes something.
"""

from __future__ import annotations

import http.server
import json
import sys
import time
import urllib.parse
from typing import Any

from flag_store import PAUSED, Store, new_flag  # run as a script: its own folder is where it looks


class Handler(http.server.BaseHTTPRequestHandler):
    store = Store()
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        target = urllib.parse.urlsplit(self.path)
        parts = [urllib.parse.unquote(part) for part in target.path.strip("/").split("/")]
        deaf = parts[0] == "deaf"
        if self.headers.get("Authorization") != "Bearer right":
            self._answer(401, {"error": "who are you?"})
            return
        status, value = self._do(parts[1:], urllib.parse.parse_qs(target.query), body)
        if deaf and self.command != "GET":
            time.sleep(5)
            self.close_connection = True
            return
        self._answer(status, value)

    do_GET = do_POST = do_PUT = _handle

    def _do(self, parts: list[str], query: dict[str, list[str]], body: Any) -> tuple[int, object]:
        store, words = self.store, (self.command, *parts)
        match words:
            case ("GET", "flags"):
                names = [{"name": name} for name in store.flags]
                return 200, {"data": {"flags": names}, "page": {"total": len(names)}}
            case ("GET", "flags", name) if name in store.flags:
                return 200, {"data": store.flags[name]}
            case ("GET", "audit"):
                return 200, {"entries": store.log[::-1], "since": query["since"]}
            case ("GET", "writes"):
                return 200, store.writes
            case ("PUT", "everything"):  # for tests: all flags afresh
                store.flags = {name: new_flag(name, **members) for name, members in body.items()}
                store.log, store.writes = [], 0
                return 200, None
            case (("POST" | "PUT"), "flags", name, *rest) if name in store.flags:
                if "rev" in body and str(body["rev"]) != str(store.flags[name]["rev"]):
                    return 409, {"error": "it has changed"}
                members = {"state": PAUSED} if rest == ["off"] else body["flag"]
                store.change(name, body["actor"], body.get("note", ""), members)
                return 200, {"rev": store.flags[name]["rev"]}
        return 404, {"error": "no such thing"}


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
