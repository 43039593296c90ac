"""`opsconsole`: the console itself, and the commands that ask the same questions without a person."""

from __future__ import annotations

import gc
import io
import os
import sys
from typing import TextIO

from opsconsole.cli.finish import Finished, hush_stdout
from opsconsole.errors import ExitCode, OpsError
from opsconsole.ui.terminal import crash_report


def run() -> None:
    """The entry point: errors for people go to stderr, exit codes are those of ExitCode."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What the terminal's encoding lacks is shown as an escape instead of ending the program.
            stream.reconfigure(errors="backslashreplace")
    argv = sys.argv[1:]
    one_shot = _command_of(argv) in _ONE_SHOT
    # A tenth of the time of a large listing would go into looking for cycles that are not there, and as much into
    # taking the process apart object by object.
    if one_shot:
        gc.disable()
    else:
        gc.enable()
    code = main(argv)
    written, told = _flushed(sys.stdout), _flushed(sys.stderr)
    if not written:
        code = code or ExitCode.FAILED
    if one_shot or not (written and told):
        # Python's own end would flush again and, with the terminal gone, exit with 120.
        os._exit(code)
    sys.exit(code)


def _flushed(stream: TextIO) -> bool:
    try:
        stream.flush()
    except BrokenPipeError:
        return True
    except (OSError, ValueError):
        return False
    return True


def main(argv: list[str]) -> int:
    """Run the command line; the exit code. For `check`, what could not be asked is UNKNOWN."""
    command = _command_of(argv)
    check_named = command == "check"
    try:
        if not command and not _ANSWERED_AT_ONCE & set(argv):
            from opsconsole.cli.console import open_console

            return open_console(argv)
        from opsconsole.cli.app import run_command

        code = run_command(command, argv)
    except Finished as finished:
        return finished.code
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else ExitCode.FAILED
        return ExitCode.CHECK_UNKNOWN if check_named and code else code
    except OpsError as error:
        _tell(error)
        return ExitCode.CHECK_UNKNOWN if check_named else error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        hush_stdout()
        return ExitCode.CHECK_UNKNOWN if check_named else ExitCode.OK
    except Exception as error:  # noqa: BLE001  the top of the program: a crash must not look like a verdict
        print(crash_report(error), file=sys.stderr)  # noqa: T201  likewise
        return ExitCode.CHECK_UNKNOWN if check_named else ExitCode.FAILED
    return ExitCode.CHECK_UNKNOWN if check_named and code else code


_ONE_SHOT = frozenset({"check", "alerts", "silences", "flags"})
"""Commands that ask, print and end."""

_ANSWERED_AT_ONCE = frozenset({"-h", "--help", "--version", "--install-completion", "--show-completion"})

_VALUED = frozenset(
    {"--config", "--context", "--prometheus", "--alertmanager", "--playbook", "--flags-file", "--screen"}
)


def _command_of(argv: list[str]) -> str:
    """The command that an argument list names, "" for the console itself. Known before anything is parsed,
    because a usage error of `check` has an exit code of its own."""
    words = iter(argv)
    for word in words:
        if word in _VALUED:
            next(words, None)
        elif not word.startswith("-"):
            return word
    return ""


def _tell(error: OpsError) -> None:
    lines = [f"opsconsole: {line}" for line in str(error).split("\n")]
    if error.hint:
        lines.append(f"  hint: {error.hint}")
    sys.stderr.write("\n".join(lines) + "\n")
