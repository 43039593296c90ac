"""httpx without its command line and without looking for trio.

`import httpx` also imports its command line with click, rich and pygments when those are installed: 70 ms
that `opsconsole check` would pay on every run. httpx falls back when that import fails, so it is made to
fail.

httpcore looks for sniffio on every request, to learn whether trio runs. An import that fails is looked for on
disk again each time, a quarter of the cost of a small request; here only asyncio runs.
"""

from __future__ import annotations

import importlib.util
import sys

_COMMAND_LINE = "httpx._main"

if "httpx" not in sys.modules:
    sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment]  # None is how an import is told to fail
    try:
        import httpx
    finally:
        del sys.modules[_COMMAND_LINE]
else:
    import httpx

if importlib.util.find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # as above; nobody here can use it

__all__ = ["httpx"]
