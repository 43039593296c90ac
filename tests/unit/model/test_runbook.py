"""Commands in runbooks: found, marked, and never filled in by text substitution."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.model.runbook import MAX_FILLED, Command, commands_of, filled, is_cut, label_environment
from opsconsole.text import trusted

BODY = """# Title

```sh title="logs of the route"
kubectl logs -l route="$LABEL_route" --since=10m
```

1. A step:

   ```bash title="restart what changes often" changes
   kubectl rollout restart deploy/x
     echo indented
   ```

~~~shell
uptime
~~~

```python
print("not a command")
```

```
plain
```

```sh
```

````sh
cat <<'E'
```
E
````
"""


def command(script: str) -> Command:
    return Command(script=script, title=trusted("t"), line=1)


def test_shell_blocks_become_commands() -> None:
    found = commands_of(BODY)
    assert [c.title for c in found] == [
        "logs of the route",
        "restart what changes often",
        "uptime",
        "cat <<'E'",
    ]
    assert [c.changes for c in found] == [False, True, False, False]
    assert [c.line for c in found] == [3, 9, 14, 29]
    assert found[1].script == "kubectl rollout restart deploy/x\n  echo indented"
    assert found[3].script == "cat <<'E'\n```\nE"


def test_a_title_does_not_mark() -> None:
    (found,) = commands_of('```sh title="what changes here"\nls\n```\n')
    assert not found.changes
    (found,) = commands_of('```sh changes title="x"\nls\n```\n')
    assert found.changes


def test_windows_line_ends_do_not_reach_the_shell() -> None:
    (found,) = commands_of('```sh title="x"\r\nls\r\npwd\r\n```\r\n')
    assert found.script == "ls\npwd"


def test_an_open_block_runs_to_the_end() -> None:
    assert [c.script for c in commands_of("```sh\nls\npwd")] == ["ls\npwd"]


def test_titles_are_safe() -> None:
    (found,) = commands_of('```sh title="\x1b[2J"\nls \x1b]52;c;x\x07\n```')
    assert found.title == r"\x1b[2J"
    assert "\x1b" not in found.shown


def test_variables_in_order_of_first_use() -> None:
    script = 'echo "$LABEL_b" "${LABEL_a}" "${LABEL_c:-none}" "${#LABEL_d}" "$LABEL_b" "$HOME" LABEL_e'
    assert command(script).variables() == ("LABEL_b", "LABEL_a", "LABEL_c", "LABEL_d")


def test_label_names_become_variable_names() -> None:
    labels = {"instance": "10.0.0.1:80", "a.b-c": "x", "z": "nul\0l"}
    assert label_environment(labels) == {
        "LABEL_instance": "10.0.0.1:80",
        "LABEL_a_b_c": "x",
        "LABEL_z": "null",
    }


def test_filled_assigns_only_what_is_read() -> None:
    text = filled(command('echo "$LABEL_route"'), {"route": "/api; rm -rf /", "job": "secret"})
    assert text == "LABEL_route='/api; rm -rf /'\necho \"$LABEL_route\""


def test_a_missing_label_is_empty() -> None:
    assert filled(command('echo "$LABEL_route"'), {}) == "LABEL_route=''\necho \"$LABEL_route\""


def pasted(value: str) -> str:
    """What bash prints when the shown text is pasted."""
    text = filled(command('printf "%s" "$LABEL_x"'), {"x": value})
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["bash", "-c", text], env=environment, capture_output=True, check=True, timeout=10)
    return done.stdout.decode()


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "it's",
        '$(touch /tmp/x) `id` "quoted" \\',
        "a\nb\tc",
        "\x1b]52;c;x\x07",
        "'\x1b\\'",
        "❤\ufe0f",
        "a" + "\u0301" * 9,
        "\u202eabc",
        "\u3164",
        "é\x9b1",
        "!history",
        "-n",
        "",
    ],
)
def test_pasting_the_shown_text_gives_back_the_value(value: str) -> None:
    assert pasted(value) == value


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
def test_pasting_gives_back_any_value(value: str) -> None:
    assert pasted(value) == value


def test_a_command_longer_than_what_is_shown_is_cut() -> None:
    assert not is_cut(command("x" * MAX_FILLED), {})
    assert is_cut(command("x" * (MAX_FILLED + 1)), {})
    assert is_cut(command('echo "$LABEL_x"'), {"x": "v" * MAX_FILLED})
