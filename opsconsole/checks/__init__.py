"""Validations of a snapshot: the Status screen and `opsconsole check` call the same ones."""
