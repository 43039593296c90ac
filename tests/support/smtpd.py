"""A mail server on loopback that records what it is sent and refuses what it is told to.

async with MailServer() as server:
    server.refuse["RCPT"] = "550 nobody here"
    ... send to server.port ...
    assert server.mails[0].message["Subject"] == "…"
"""

from __future__ import annotations

import asyncio
import base64
import email
import ssl
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from types import TracebackType


@dataclass(frozen=True)
class Mail:
    """One message. `secure` says that it came through TLS; `login` is what AUTH PLAIN said, "" without."""

    sender: str
    to: tuple[str, ...]
    raw: bytes
    secure: bool
    login: str

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.raw, policy=policy.default)  # type: ignore[return-value]  # by its policy


class MailServer:
    """Speaks SMTP. `refuse` maps a command, or a command with its argument, to the reply that it gets instead;
    `drop_after` is a command after which the connection is cut. With `tls` STARTTLS is offered."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.mails: list[Mail] = []
        self.refuse: dict[str, str] = {}
        self.drop_after = ""
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> MailServer:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender, to, login, secure = "", list[str](), "", False

        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        try:
            await say("220 ready")
            while raw := await reader.readline():
                line = raw.decode().strip()
                word = line.split(" ")[0].upper()
                refusal = self.refuse.get(word + line[len(word) :]) or self.refuse.get(word)
                if refusal:
                    await say(refusal)
                elif word == "EHLO":
                    offered = ["AUTH PLAIN"] + (["STARTTLS"] if self._tls is not None and not secure else [])
                    await say(
                        "\r\n".join(["250-here", *(f"250-{one}" for one in offered[:-1]), f"250 {offered[-1]}"])
                    )
                elif word == "STARTTLS" and self._tls is not None:
                    await say("220 go on")
                    await writer.start_tls(self._tls)
                    secure = True
                elif word == "AUTH":
                    login = base64.b64decode(line.split(" ")[2]).decode()
                    await say("235 welcome")
                elif word == "MAIL":
                    sender = line
                    await say("250 ok")
                elif word == "RCPT":
                    to.append(line.split("<")[1].split(">")[0])
                    await say("250 ok")
                elif word == "DATA":
                    await say("354 go on")
                    body = await reader.readuntil(b"\r\n.\r\n")
                    self.mails.append(Mail(sender, tuple(to), body[:-5], secure, login))
                    if self.drop_after == "DATA":
                        break
                    await say("250 taken")
                elif word == "QUIT":
                    await say("221 bye")
                    break
                else:
                    await say("250 ok")
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client left
        finally:
            writer.close()
