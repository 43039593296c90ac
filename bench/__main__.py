"""Every benchmark, one line each: `python -m bench`, or `python -m bench NAME …` for some."""

from __future__ import annotations

import importlib
import sys

NAMES = ("alerts_json", "check", "first_paint", "refresh", "keys", "samples", "check_large")


def main() -> None:
    for name in sys.argv[1:] or NAMES:
        importlib.import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main()
