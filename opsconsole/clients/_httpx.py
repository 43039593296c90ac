"""httpx without its command line.

`import httpx` also imports its command line with click, rich and pygments when those are installed: 70 ms
that `opsconsole check` would pay on every run. httpx falls back when that import fails, so it is made to
fail.
"""

from __future__ import annotations

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

__all__ = ["httpx"]
