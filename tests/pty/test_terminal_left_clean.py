"""However the console ends, the terminal is as it was, and the exit code says why."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pty.conftest import Open
from tests.support.pty_terminal import ROOT, Modes, PtyTerminal
from tests.support.servers import Alertmanager

pytestmark = pytest.mark.live

Console = Callable[..., PtyTerminal]


def assert_taken(terminal: PtyTerminal) -> None:
    """The application has the terminal: otherwise giving it back proves nothing."""
    modes = terminal.modes()
    assert modes.alternate_screen
    assert modes.mouse
    assert not modes.cursor_shown
    assert not modes.echo
    assert not modes.line_mode


def test_quitting(console: Console) -> None:
    terminal = console()
    assert_taken(terminal)
    terminal.send("q")
    assert terminal.wait_for_exit() == 0
    assert terminal.modes() == Modes()
    assert "Traceback" not in terminal.raw.decode("utf-8", "replace")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal(console: Console, number: signal.Signals) -> None:
    terminal = console()
    assert_taken(terminal)
    terminal.signal(number)
    assert terminal.wait_for_exit() == 128 + number
    assert terminal.modes() == Modes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_a_dialog_is_open(console: Console, number: signal.Signals) -> None:
    terminal = console()
    terminal.send("?")
    terminal.wait_for_text("leave the console")
    terminal.signal(number)
    assert terminal.wait_for_exit() == 128 + number
    assert terminal.modes() == Modes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_nothing_answers(open_terminal: Open, tmp_path: Path, number: signal.Signals) -> None:
    """A server that takes the request and says nothing does not hold up the end."""
    import socket

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        terminal = open_terminal(sys.executable, "-m", "opsconsole", f"--alertmanager={url}")
        terminal.wait_for_text("AM ?")
        terminal.signal(number)
        assert terminal.wait_for_exit(5) == 128 + number
        assert terminal.modes() == Modes()


def test_a_lost_terminal(console: Console) -> None:
    """The ssh connection drops: the kernel sends SIGHUP."""
    terminal = console()
    terminal.hang_up()
    assert terminal.process is not None
    assert terminal.process.wait(10) == 128 + signal.SIGHUP


def test_a_lost_terminal_without_a_signal(open_terminal: Open, alertmanager: Alertmanager) -> None:
    """Under nohup SIGHUP is ignored: the console notices by itself, and does not spin until then."""
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    terminal = open_terminal(
        *(sys.executable, "-c", ignoring, sys.executable, "-m", "opsconsole"),
        f"--alertmanager={alertmanager.url}",
    )
    terminal.wait_for_text("AM ✔")
    before = cpu_seconds(terminal.pid)
    terminal.hang_up()
    assert terminal.process is not None
    deadline = time.monotonic() + 10
    used = before
    while terminal.process.poll() is None and time.monotonic() < deadline:
        used = cpu_seconds(terminal.pid) or used
        time.sleep(0.05)
    assert terminal.process.returncode == 128 + signal.SIGHUP
    assert used - before < 2.0


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_ctrl_z_and_fg(open_terminal: Open, alertmanager: Alertmanager) -> None:
    """Under a shell with job control: stopped, the terminal is the shell's; brought back, it is repainted."""
    terminal = open_terminal("/bin/sh", "-i", env={"PS1": "shell> "})
    terminal.wait_for_text("shell>")
    terminal.send(f"{sys.executable} -m opsconsole --alertmanager={alertmanager.url}\r")
    terminal.wait_for_text("AM ✔", "Firing now")
    assert_taken(terminal)
    for _ in range(2):
        written = len(terminal.raw)
        terminal.send("\x1a")
        terminal.wait_for_raw(rb"shell> $", after=written)
        assert terminal.modes() == Modes()
        assert stopped_child(terminal.pid)

        written = len(terminal.raw)
        terminal.send("fg\r")
        terminal.wait_for_raw(rb"\x1b\[\?1049h", after=written)
        terminal.wait_for_text("AM ✔", "1 Overview", "Firing now", "? help")
        assert_taken(terminal)
    terminal.send("6")
    terminal.wait_for_text("Alertmanager members")
    written = len(terminal.raw)
    terminal.send("q")
    terminal.wait_for_raw(rb"shell> $", after=written)
    terminal.send("echo code=$?\r")
    terminal.wait_for_text("code=0")
    assert terminal.modes() == Modes()


def stopped_child(parent: int) -> int:
    """The pid of a stopped child process; 0 without one."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] == "T" and int(fields[1]) == parent:
            return int(entry.name)
    return 0


CRASH = """
import sys
from datetime import UTC
from opsconsole.clock import SystemClock
from opsconsole.render.glyphs import UNICODE
from opsconsole.render.theme import DARK
from opsconsole.ui.app import ConsoleApp
from opsconsole.ui.modes import MODES, Opened
from opsconsole.ui.screens.status import StatusScreen
from opsconsole.ui.screens.overview import OverviewScreen
from tests.ui.fakes import make_services

WHERE = sys.argv[1]


class Broken(OverviewScreen):
    def show(self, snapshot):
        if WHERE == "show":
            self.fail()

    def do_dashboard(self):
        self.fail()

    def on_mount(self):
        if WHERE == "timer":
            self.set_interval(0.05, self.fail)
        if WHERE == "mount":
            self.fail()

    def fail(self):
        token = "s3cret-t0ken"
        raise RuntimeError(f"\\x1b]52;c;{token}\\x07 [bold]")


services, engine, runner = make_services()
app = ConsoleApp(
    lambda: Opened(services=services, begin=lambda: lambda: None, close=lambda: None, modes={**MODES, "overview": Broken}),
    DARK, UNICODE, start="overview",
)
app.run()
sys.exit(app.return_code)
"""  # noqa: E501  a program of its own


@pytest.mark.parametrize("where", ["show", "mount", "timer", "key"])
def test_a_crash(open_terminal: Open, tmp_path: Path, where: str) -> None:
    """No value of a variable and no text of the error is printed: both may be secrets or hostile."""
    driver = tmp_path / "driver.py"
    driver.write_text(CRASH)
    terminal = open_terminal(sys.executable, str(driver), where)
    if where == "key":
        terminal.wait_for_text("prod", "d dashboard")
        terminal.send("d")
    assert terminal.wait_for_exit() == 1
    assert terminal.modes() == Modes()
    said = terminal.raw.rpartition(b"\x1b[?1049l")[2].decode()
    assert "internal error: RuntimeError" in said
    assert "in fail" in said
    assert "s3cret" not in terminal.raw.decode("utf-8", "replace")
    assert "\x1b]52" not in terminal.raw.decode("utf-8", "replace")


@pytest.mark.parametrize("stdin", ["null", "pipe"])
@pytest.mark.parametrize("argv", [[], ["--screen=alerts"], ["demo"]])
def test_without_a_terminal_it_refuses(tmp_path: Path, stdin: str, argv: list[str]) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "opsconsole",
            *argv,
            *([] if argv == ["demo"] else ["--alertmanager=http://127.0.0.1:9"]),
        ],
        stdin=subprocess.DEVNULL if stdin == "null" else subprocess.PIPE,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=20,
        env={**os.environ, "HOME": str(tmp_path), "OPSCONSOLE_STATE_DIR": str(tmp_path / "state")},
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "needs a terminal" in done.stderr
    assert "hint: " in done.stderr
    assert not re.search(r"\x1b", done.stderr)


@pytest.mark.parametrize("end", ["< /dev/null", "> out", "2> err"])
def test_one_end_that_is_no_terminal_is_refused_too(open_terminal: Open, tmp_path: Path, end: str) -> None:
    command = f"{sys.executable} -m opsconsole --alertmanager=http://127.0.0.1:9"
    terminal = open_terminal("/bin/sh", "-c", f"{command} {end}", cwd=tmp_path)
    assert terminal.wait_for_exit() == 2
    said = terminal.raw + b"".join(file.read_bytes() for file in tmp_path.glob("err"))
    assert b"needs a terminal" in said
    assert b"\x1b[?1049h" not in said


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "nothing to connect to"),
        (["--context=prod"], "no configuration file"),
        (["--alertmanager=not a url"], "--alertmanager"),
        (["--screen=nothing", "--alertmanager=http://127.0.0.1:9"], "no screen"),
        (["--nonsense"], "nonsense"),
        (["--alertmanager=http://127.0.0.1:9", "--playbook=nothing"], "no shipped playbook"),
    ],
)
def test_what_is_wrong_is_told_on_a_clean_terminal(open_terminal: Open, argv: list[str], words: str) -> None:
    terminal = open_terminal(sys.executable, "-m", "opsconsole", *argv)
    assert terminal.wait_for_exit() == 2
    assert terminal.modes() == Modes()
    said = terminal.raw.rpartition(b"\x1b[?1049l")[2].decode()
    assert words in said
    assert "Traceback" not in said
