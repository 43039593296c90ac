"""Dashboards for a Prometheus that nobody wrote a playbook for: from metric names and labels to panels."""
