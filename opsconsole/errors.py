"""Every error that opsconsole raises on purpose, and the exit codes.

OpsError                    what was wrong, where, and a hint what to do
├── UsageError              the command line does not fit together
├── ConfigError             a configuration file or playbook has problems (all of them at once)
├── SourceError             a backend did not give a usable answer
│   ├── Unreachable         no connection (refused, DNS, TLS handshake)
│   │   └── CertificateExpired  its certificate has ended
│   ├── TimedOut            the total deadline passed
│   ├── Unauthorised        401 or 403
│   ├── BadQuery            400, 404 or 422: the request is wrong, asking again will not help
│   ├── Overloaded          429 or 503 with a wait
│   ├── NotReady            503 while starting or replaying
│   └── BadReply            an answer that cannot be understood, was cut short, or is too large
├── ActionError             an action did not happen, or it is not known whether it did
│   ├── Refused             the rules say no; nothing was done
│   ├── Conflict            the thing changed since it was looked at; nothing was done
│   ├── Ambiguous           it is not known whether it happened
│   └── Unverified          it was sent, but reading back shows something else
├── FlagError               a flag provider, or a definition, cannot be read or written
│   ├── FlagUnauthorised    the provider does not accept the credentials, or they do not allow this
│   ├── FlagNotFound        there is no such flag, project or environment; nothing was done
│   ├── ApprovalRequired    the change has to be approved by somebody else first; nothing was done
│   ├── FlagRateLimited     too many requests; nothing was done
│   ├── FlagUnavailable     the provider did not answer; a write may have been done when `sent`
│   └── FlagUnsupported     this provider cannot do that; nothing was done
├── NotifyError             a channel did not take a notification
├── OutboxError             the notifications to be sent cannot be read or written


├── GuardError              a file of a guard (arming, lease, status) cannot be read, written or believed
└── JournalError            the journal cannot be read or written
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import msgspec


class ExitCode(IntEnum):
    """Process exit codes. `check` follows the monitoring plug-in guidelines (0 to 3)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CHECK_OK = 0
    CHECK_WARNING = 1
    CHECK_CRITICAL = 2
    CHECK_UNKNOWN = 3


class OpsError(Exception):
    """An error meant for a person.

    `message` says what was wrong, `where` is a file:line or a URL without credentials, `hint` says what to
    do. All three are plain text that has passed `opsconsole.text.safe`.
    """

    exit_code: int = ExitCode.FAILED
    kind: str = "error"

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class UsageError(OpsError):
    """The command line does not fit together."""

    exit_code = ExitCode.USAGE
    kind = "usage"


class Problem(msgspec.Struct, frozen=True):
    """One problem of one file: `file:line: key: message`, with the nearest known key as hint."""

    file: str
    line: int
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        key = f"{self.key}: " if self.key else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}: {key}{self.message}{hint}"


class ConfigError(OpsError):
    """One or more problems of configuration files, all that were found."""

    exit_code = ExitCode.USAGE
    kind = "config"

    def __init__(self, problems: tuple[Problem, ...], *, hint: str = "") -> None:
        super().__init__("\n".join(str(p) for p in problems), hint=hint)
        self.problems = problems


class SourceError(OpsError):
    """A backend did not give a usable answer. `where` is its URL without credentials.

    `retry_after` is the wait in seconds that the server asked for, `status` the HTTP status or 0 when there
    was no answer. `sent` is False only when it is certain that nothing of the request left this machine
    (refused, DNS, TLS handshake): only then may a write be tried elsewhere. `headers` (whatever their case) and
    `body`, its beginning, are what the server answered with, raw: for recognising it, never to be shown.
    """

    kind = "failed"
    retry_after: float | None = None
    status: int = 0
    sent: bool = True
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Unreachable(SourceError):
    """`refused` says that the machine was reached and nothing listens there."""

    kind = "unreachable"
    refused: bool = False


class CertificateExpired(Unreachable):
    kind = "expired certificate"


class TimedOut(SourceError):
    kind = "timed out"


class Unauthorised(SourceError):
    kind = "unauthorised"


class BadQuery(SourceError):
    kind = "bad query"


class Overloaded(SourceError):
    kind = "overloaded"


class NotReady(SourceError):
    kind = "not ready"


class BadReply(SourceError):
    kind = "bad reply"


class ActionError(OpsError):
    """An action did not happen, or it is not known whether it did."""

    kind = "action"


class Refused(ActionError):
    kind = "refused"


class Conflict(ActionError):
    kind = "conflict"


class Ambiguous(ActionError):
    kind = "ambiguous"


class Unverified(ActionError):
    kind = "unverified"


class FlagError(OpsError):
    """`sent` is False only when it is certain that no write of the call reached the provider."""

    kind = "flags"
    sent: bool = False


class FlagUnauthorised(FlagError):
    kind = "flags unauthorised"


class FlagNotFound(FlagError):
    kind = "flag not found"


class ApprovalRequired(FlagError):
    kind = "approval required"


class FlagRateLimited(FlagError):
    """`retry_after` is the wait in seconds that the provider asked for, None when it did not say."""

    kind = "flags rate limited"
    retry_after: float | None = None


class FlagUnavailable(FlagError):
    kind = "flags unavailable"


class FlagUnsupported(FlagError):
    kind = "flags unsupported"


class NotifyError(OpsError):
    """`retry` says that the same message may be taken later; `retry_after` is the wait in seconds that the channel
    asked for, None when it did not say."""

    kind = "notify"
    retry: bool = True
    retry_after: float | None = None


class OutboxError(OpsError):
    kind = "outbox"


class GuardError(OpsError):
    kind = "guard"


class JournalError(OpsError):
    kind = "journal"
