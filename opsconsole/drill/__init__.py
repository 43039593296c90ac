"""The incident-response test: each scripted fault of a simulated system, from its first sign to its end."""
