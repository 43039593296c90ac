"""amtool's configuration files, as a place to find the Alertmanager when nothing else says where it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from opsconsole.config.http import read_url
from opsconsole.config.load import is_there, read_http_file, read_root
from opsconsole.config.nodes import Problems
from opsconsole.config.schema import Endpoint, HttpConfig


class AmtoolConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What amtool's files say: the Alertmanager, the author of silences ("" for the OS user), and the file
    that named the Alertmanager."""

    endpoint: Endpoint
    author: str
    path: Path


def load_amtool(files: Sequence[Path], home: Path) -> AmtoolConfig | None:
    """What amtool's files say, of each key the first value; None when none names an Alertmanager.

    A file is a flat map of amtool's own flags (`alertmanager.url`, `author`, `http.config.file`, …); the many
    that mean nothing here are passed over. Raises ConfigError for files that cannot be understood.
    """
    url, author = "", ""
    named: Path | None = None
    http_file: Path | None = None
    for path in files:
        if not is_there(path):
            continue
        problems = Problems(str(path))
        root = read_root(path, problems)
        if root is not None:
            if not url and root.has("alertmanager.url"):
                url, named = read_url(root.get("alertmanager.url")), path
            author = author or root.text("author")
            http_file = http_file or root.path("http.config.file", path.absolute().parent, home)
        # An empty amtool file says nothing, which is no mistake.
        problems.found = [p for p in problems.found if p.message != "is empty"]
        problems.check()
    if not url or named is None:
        return None
    http = HttpConfig() if http_file is None else read_http_file(http_file, home)
    return AmtoolConfig(endpoint=Endpoint(url=url, http=http), author=author, path=named)
