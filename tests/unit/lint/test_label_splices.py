"""Which uses of labels in commands are found, and which are the right way to do it."""

from __future__ import annotations

import pytest

FINE = [
    'kubectl logs "$LABEL_pod" "${LABEL_ns:-default}"',
    'sh -c \'grep -F "$1"\' - "$LABEL_pod"',
    "sh -c 'grep -F \"$LABEL_pod\" log'",
    "psql -v pod=\"$LABEL_pod\" <<'SQL'\nselect :'pod'\nSQL",
    'promtool query instant http://x "up{job=\\"$LABEL_job\\"}"',
    "docker ps --format '{{.Names}}'",
    "docker logs --format '{{range .x}}{{println}}{{end}}' x",
    "cat <<EOF >file\nEOF",
    "awk '$1 < 5 && $2 > 3' x",
    'ssh bastion uptime; echo "$LABEL_pod"',
]

FOUND = [
    ("kubectl logs $LABEL_pod", "$LABEL_pod stands without quotes"),
    ('kubectl logs "$(head $LABEL_pod)"', "$LABEL_pod stands without quotes"),
    ('bash -xc "ls $LABEL_pod"', "$LABEL_pod becomes part of a script for another shell"),
    ('kubectl exec x -- sh -c "ls $LABEL_pod"', "$LABEL_pod becomes part of a script for another shell"),
    ("sh -c 'ls $LABEL_pod'", "$LABEL_pod stands without quotes"),
    ('bash <<X\nls "$LABEL_pod"\nX', "$LABEL_pod becomes part of a script for another shell"),
    ('eval "ls $LABEL_pod"', "$LABEL_pod becomes part of what `eval` runs"),
    ('ssh -p 22 host ls "$LABEL_pod"', "$LABEL_pod becomes part of what `ssh` runs"),
    ("psql <<SQL\nselect $LABEL_pod\nSQL", "$LABEL_pod becomes part of an SQL statement"),
    ('psql --command="select $LABEL_pod"', "$LABEL_pod becomes part of an SQL statement"),
    (
        "kubectl logs {{ $labels.pod }}",
        "`{{ $labels.pod }}` is a placeholder, whose value the shell would read as code",
    ),
    ("kubectl logs {{pod}}", "`{{pod}}` is a placeholder, whose value the shell would read as code"),
    ("kubectl logs '$labels.pod'", "`$labels.pod` is a placeholder, whose value the shell would read as code"),
    ("kubectl logs '<pod-name>'", "`<pod-name>` is a placeholder, whose value the shell would read as code"),
]


@pytest.mark.parametrize("script", FINE)
def test_labels_that_stay_data(one_runbook, script: str) -> None:
    assert one_runbook(script) == []


@pytest.mark.parametrize(("script", "message"), FOUND)
def test_labels_that_become_code(one_runbook, script: str, message: str) -> None:
    assert [(f.rule, f.message) for f in one_runbook(script)] == [("shell-label", message)]
