"""Frozen types and pure functions: no I/O, no clock, no user interface."""
