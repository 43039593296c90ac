"""Mail by SMTP. The messages of an incident are one thread; a message sent twice has one Message-ID."""

from __future__ import annotations

import asyncio
import hashlib
import smtplib
import socket
import ssl
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime

from opsconsole.clients.notify.base import failed, hidden, secret_of, wanted
from opsconsole.clients.tls import tls_context
from opsconsole.config.schema import MailConfig, NotifyConfig
from opsconsole.errors import ConfigError, NotifyError
from opsconsole.model.guard import GuardEvent
from opsconsole.model.guard_words import body, subject
from opsconsole.text import safe

_SAID = 300
"""Characters of a server's own words that are shown."""


class Email:
    """One list of receivers."""

    resolves = False

    def __init__(self, config: NotifyConfig) -> None:
        self.name = config.name
        self._config = config
        self._mail = config.mail or MailConfig(host="", port=0)
        self._where = str(safe(f"{self._mail.host}:{self._mail.port}", 200))

    def wants(self, event: GuardEvent) -> bool:
        return wanted(event, self._config.on)

    async def send(self, event: GuardEvent) -> None:
        mail = self._mail
        password = await secret_of(mail.password, self._where) if mail.username else ""
        outcome = await asyncio.to_thread(self._deliver, message(mail, event), password)
        if outcome is not None:
            raise outcome

    async def aclose(self) -> None:
        """Each message has a connection of its own."""

    def _deliver(self, made: EmailMessage, password: str) -> NotifyError | None:
        """What kept it from being delivered. Runs in a thread: every wait in it has the timeout."""
        mail = self._mail
        try:
            context = None if mail.security == "none" else tls_context(mail.tls_config)
            with _connected(mail, context) as server:
                if mail.security == "starttls":
                    server.starttls(context=context)
                if mail.username:
                    server.login(mail.username, password)
                refused = server.send_message(made, mail.sender, list(mail.to))
        except ConfigError as error:
            return failed(f"no TLS: {error.message}", self._where, hint=error.hint)
        except smtplib.SMTPRecipientsRefused as error:
            return self._refused(error.recipients, ())
        except smtplib.SMTPResponseException as error:
            hint = (
                "look at username and password_file" if isinstance(error, smtplib.SMTPAuthenticationError) else ""
            )
            said = hidden(_words(error.smtp_error), (password,))
            # What is wrong with the credentials can be mended while the message waits.
            retry = error.smtp_code < 500 or isinstance(error, smtplib.SMTPAuthenticationError)
            return failed(f"the mail server says {error.smtp_code} {said}", self._where, hint=hint, retry=retry)
        except smtplib.SMTPNotSupportedError as error:
            hint = "starttls: implicit is for port 465; false sends in the clear"
            return failed(safe(str(error), _SAID), self._where, hint=hint)
        except smtplib.SMTPServerDisconnected:
            return failed("the mail server closed the connection", self._where)
        except smtplib.SMTPException as error:
            return failed(safe(str(error), _SAID), self._where)
        except ssl.SSLError as error:
            hint = "is it the right port for starttls, and who signed the certificate (tls_config.ca_file)?"
            return failed(f"TLS: {safe(error.reason or str(error), _SAID)}", self._where, hint=hint)
        except TimeoutError:
            return failed(f"no answer within {mail.timeout:g} s", self._where)
        except OSError as error:
            return failed(f"cannot connect: {safe(error.strerror or str(error), _SAID).lower()}", self._where)
        reached = tuple(one for one in mail.to if one not in refused)
        return self._refused(refused, reached) if refused else None

    def _refused(self, refused: dict[str, tuple[int, bytes]], reached: tuple[str, ...]) -> NotifyError:
        """Some receivers were refused. Those who have it get it again when others may take it later: as the same
        message."""
        told = "; ".join(f"{safe(one, 100)}: {code} {_words(said)}" for one, (code, said) in refused.items())
        also = f" ({', '.join(reached)} has it)" if reached else ""
        later = any(code < 500 for code, _ in refused.values())
        return failed(f"refused for {told}{also}", self._where, hint="look at `to`", retry=later)


def message(mail: MailConfig, event: GuardEvent) -> EmailMessage:
    """The message, the same each time that it is made."""
    domain = mail.sender.rpartition("@")[2] or "opsconsole.invalid"
    thread = f"<incident.{_hash(f'{event.context}/{event.incident}')}@{domain}>"
    made = EmailMessage(policy=policy.SMTP)
    made["From"] = mail.sender
    made["To"] = ", ".join(mail.to)
    made["Subject"] = str(safe(subject(event)))
    made["Date"] = format_datetime(datetime.fromtimestamp(event.at, UTC))
    made["Message-ID"] = f"<event.{_hash(f'{event.context}/{event.id}')}@{domain}>"
    # Nothing has the thread's own id: every message answers it, so that their order does not matter.
    made["In-Reply-To"] = thread
    made["References"] = thread
    made["Auto-Submitted"] = "auto-generated"
    made["X-Auto-Response-Suppress"] = "All"
    made["X-Opsconsole-Kind"] = str(safe(event.kind, 40))
    if event.page:
        made["Importance"] = "high"
        made["X-Priority"] = "1"
    made.set_content(f"{body(event)}\n")
    return made


def _connected(mail: MailConfig, context: ssl.SSLContext | None) -> smtplib.SMTP:
    # The library would ask the DNS for this machine's name, which may take long when something is broken.
    name = socket.gethostname()
    name = name if "." in name and name.isascii() else "[127.0.0.1]"
    if mail.security == "implicit":
        return smtplib.SMTP_SSL(mail.host, mail.port, name, timeout=mail.timeout, context=context)
    return smtplib.SMTP(mail.host, mail.port, name, timeout=mail.timeout)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _words(said: bytes | str) -> str:
    return safe(said.decode("utf-8", "replace") if isinstance(said, bytes) else said, _SAID)
