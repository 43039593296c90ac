"""The simulated systems, one module each with a `SYSTEM`."""
