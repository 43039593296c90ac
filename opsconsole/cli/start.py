"""Where the program starts. A short run is mostly imports, and there is nothing in them to collect."""

from __future__ import annotations

import gc


def run() -> None:
    """The entry point."""
    gc.disable()
    from opsconsole.cli import main  # only now: a tenth of its imports would be looking for cycles

    main.run()
