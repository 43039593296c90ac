"""The append-only record of every action: intent before, outcome after."""

from opsconsole.journal.store import Journal

__all__ = ["Journal"]
