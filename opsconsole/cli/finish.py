"""How commands end."""

from __future__ import annotations

import os
import sys


class Finished(Exception):
    """A command ended with an exit code of its own meaning, as opposed to a usage error's."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def hush_stdout() -> None:
    """After the reader of stdout has gone: what is still buffered goes nowhere, without a complaint at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
