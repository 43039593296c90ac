"""What a script runs, where it puts labels, and which commands change something."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.lint.changing import changes
from opsconsole.lint.shell import read_script

CHANGING = [
    ("rm -rf /x", "rm"),
    ("/bin/rm x", "rm"),
    ("kubectl -n a delete pod x", "kubectl delete"),
    ("kubectl --namespace a rollout undo deploy/x", "kubectl rollout undo"),
    ("kubectl -n a exec deploy/redis -- redis-cli -n 0 FLUSHALL", "redis-cli flushall"),
    ("kubectl exec -it pod -- bash", "exec bash"),
    ("kubectl exec deploy/x -- sh -c 'rm -rf /tmp/x'", "rm"),
    ("docker compose -f x.yml restart web", "docker compose restart"),
    ("docker-compose restart web", "docker-compose restart"),
    ("docker exec web rm -f x", "rm"),
    ("docker run --rm alpine true", "docker run"),
    ("sudo -u app systemctl restart x", "systemctl restart"),
    ("service nginx reload", "service reload"),
    ('psql -c "DELETE from x"', "psql: DELETE from"),
    ('psql -c "update x set y=1"', "psql: update x set"),
    ("psql <<'SQL'\ndrop table x;\nSQL", "psql: drop table"),
    ("psql <<< 'truncate x'", "psql: truncate x"),
    ('psql -c "select pg_terminate_backend(pid)"', "psql: pg_terminate_backend("),
    ("curl -X POST http://x/-/reload", "curl -X POST"),
    ("curl -XDELETE http://x", "curl -XDELETE"),
    ("curl --request=PUT http://x", "curl --request=PUT"),
    ("curl -d '{}' http://x", "curl -d"),
    ("kill -9 1", "kill"),
    ("find . -name x -delete", "find -delete"),
    ("find . -exec rm {} +", "find -exec rm"),
    ("ls | xargs -n1 rm", "rm"),
    ("echo a | xargs -I{} kubectl delete pod {}", "kubectl delete"),
    ("ssh -p 22 host 'sudo systemctl restart x'", "systemctl restart"),
    ("ssh host rm x", "rm"),
    ("sed -i s/a/b/ x", "sed -i"),
    ("if kubectl get x; then kubectl delete x; fi", "kubectl delete"),
    ('kubectl get pods | while read p; do kubectl delete "$p"; done', "kubectl delete"),
    ('echo "$(rm x)"', "rm"),
    ("echo `rm x`", "rm"),
    ("diff <(rm a) b", "rm"),
    ("sh <<'X'\nrm x\nX", "rm"),
    ("eval 'rm x'", "rm"),
    ("A=1 rm x", "rm"),
    ("ls && ! { rm y; }", "rm"),
    ("amtool silence add x", "amtool silence add"),
    ("redis-cli config set maxmemory 1", "redis-cli config set"),
]

HARMLESS = [
    "kubectl -n a get pods",
    "kubectl -n delete get pods",
    "kubectl rollout history deploy/x",
    "kubectl exec deploy/redis -- redis-cli info stats",
    "kubectl get deploy scale",
    "docker-compose ps",
    "docker inspect -f '{{.x}}' rm",
    "docker exec web df -h",
    "docker ps --filter status=restart",
    "systemctl status x",
    "service nginx status",
    "psql -c \"select pid from x where last_update > 1 and query like 'UPDATE%'\"",
    'psql -c "select * from x -- delete from y"',
    "curl -fsS http://x",
    "curl -G --data-urlencode 'query=up' http://x",
    "curl -s http://x/api/v1/query --data-urlencode query=up",
    "kill -0 1",
    "ssh host uptime",
    "sed -n 1p x",
    "redis-cli config get maxmemory",
    "amtool silence query",
    "# rm x",
    "echo 'rm x'",
    "grep -F rm x # rm",
    "cat <<'X'\nrm x\nX",
    "",
]


@pytest.mark.parametrize(("script", "what"), CHANGING)
def test_what_changes_something(script: str, what: str) -> None:
    assert [why for _, why in changes(script)] == [what]


@pytest.mark.parametrize("script", HARMLESS)
def test_what_only_looks(script: str) -> None:
    assert changes(script) == []


def test_the_line_of_a_change() -> None:
    script = "ls \\\n  -l\ncat <<X\nrm no\nX\necho 'two\nlines'\nrm yes\nfoo \"a\nb\" | kill 1"
    assert changes(script) == [(7, "rm"), (9, "kill")]


USES = [
    ('logs "$LABEL_a"', [("LABEL_a", 0, True)]),
    ("logs $LABEL_a", [("LABEL_a", 0, False)]),
    ("logs x$LABEL_a'y'", [("LABEL_a", 0, False)]),
    ('logs "${LABEL_a:-b}" ${#LABEL_c}', [("LABEL_a", 0, True), ("LABEL_c", 0, False)]),
    ('a "$(b $LABEL_a "$LABEL_b")"', [("LABEL_a", 0, False), ("LABEL_b", 0, True)]),
    ("a '$LABEL_a' \\$LABEL_b # $LABEL_c", []),
    ("a > $LABEL_a", [("LABEL_a", 0, False)]),
    ("x=$LABEL_a", [("LABEL_a", 0, False)]),
    ("a $((LABEL_a + 1))", [("LABEL_a", 0, False)]),
    ('cat <<X\n"$LABEL_a"\nX\nb "$LABEL_b"', [("LABEL_a", 1, True), ("LABEL_b", 3, True)]),
    ("cat <<'X'\n$LABEL_a\nX", []),
    ("cat <<-X\n\t$LABEL_a\n\tX\na $LABEL_b", [("LABEL_a", 1, True), ("LABEL_b", 3, False)]),
    ('a <<< "$LABEL_a"', [("LABEL_a", 0, True)]),
    ('a "open $LABEL_a', [("LABEL_a", 0, True)]),
    ("a $LABELS $OTHER", []),
]


@pytest.mark.parametrize(("script", "uses"), USES)
def test_where_labels_are_put(script: str, uses: list[tuple[str, int, bool]]) -> None:
    assert [(use.name, use.line, use.quoted) for use in read_script(script).uses] == uses


def test_the_words_of_commands() -> None:
    script = "A=1 kubectl -n 'my ns' logs \"pod $X\" 2>/dev/null | grep -F a\\ b >> file; f() { x; }"
    assert [command.texts for command in read_script(script).commands] == [
        ["kubectl", "-n", "my ns", "logs", "pod $X"],
        ["grep", "-F", "a b"],
        ["f"],
        ["x"],
    ]


@given(st.text(alphabet="a $\"'`(){}<>|&;\\\n#LABEL_x-", max_size=60))
def test_any_script_can_be_read(script: str) -> None:
    read_script(script)
    changes(script)
