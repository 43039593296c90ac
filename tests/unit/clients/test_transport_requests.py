"""What the transport sends: URLs, credentials, proxies, and how many at once."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from opsconsole.clients.transport import Transport
from opsconsole.clock import ManualClock
from opsconsole.config.schema import (
    Authorization,
    BasicAuth,
    Endpoint,
    HeaderValue,
    HttpConfig,
    TlsConfig,
)
from opsconsole.errors import SourceError, Unauthorised, Unreachable
from tests.support.scripted import (
    Say,
    ScriptedServer,
    drip,
    gzip_reply,
    hang,
    json_reply,
    raw,
    refusing_url,
    text_reply,
)

SECRET = "hunter2-s3cret"


def transport(url: str, gate: asyncio.Semaphore | None = None, **http: object) -> Transport:
    return Transport(
        Endpoint(url=url, http=HttpConfig(**http)),  # type: ignore[arg-type]
        clock=ManualClock(),
        gate=gate,
    )


def secret_file(directory: Path, text: str = SECRET) -> Path:
    path = directory / "secret"
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


async def test_prefix_params_and_gzip(scripted: ScriptedServer) -> None:
    scripted.on("/prom/api", gzip_reply(b'{"a": 1}'))
    client = transport(scripted.url + "/prom/")
    reply = await client.request("GET", "/api", params=[("filter", 'a="b c&d"'), ("filter", "e=~é")])
    await client.aclose()
    assert reply.body == b'{"a": 1}'
    assert scripted.requests[0].query == (("filter", 'a="b c&d"'), ("filter", "e=~é"))
    assert client.url == scripted.url + "/prom"


async def test_form_and_json_bodies(scripted: ScriptedServer) -> None:
    scripted.on("*", json_reply({}))
    client = transport(scripted.url)
    await client.request("POST", "/f", form={"query": "a+b & c"})
    await client.request("POST", "/j", json=b'{"x": 1}')
    await client.aclose()
    form, posted = scripted.requests
    assert form.form == {"query": "a+b & c"}
    assert form.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (posted.body, posted.headers["content-type"]) == (b'{"x": 1}', "application/json")
    assert scripted.connections == 1, "connections are kept"


async def test_the_servers_clock(scripted: ScriptedServer) -> None:
    scripted.on("*", Say(headers=(("Date", "Thu, 01 Jan 2026 00:02:00 GMT"),), body=b"{}"))
    client = transport(scripted.url)
    assert client.skew is None
    reply = await client.request("GET", "/")
    await client.aclose()
    assert reply.server_date == 1_767_225_720.0
    assert client.skew == 120.0


async def test_bearer_from_a_file_that_rotates(scripted: ScriptedServer, tmp_path: Path) -> None:
    scripted.on("*", json_reply({}))
    file = secret_file(tmp_path, "first")
    client = transport(scripted.url, authorization=Authorization(credentials_file=file))
    await client.request("GET", "/")
    file.write_text("second")
    os.utime(file, (1, 1))
    await client.request("GET", "/")
    await client.aclose()
    assert [r.headers["authorization"] for r in scripted.requests] == ["Bearer first", "Bearer second"]


async def test_a_bare_token_and_headers_of_one_request(scripted: ScriptedServer, tmp_path: Path) -> None:
    scripted.on("*", json_reply({}, headers=(("ETag", '"1"'),)))
    auth = Authorization(type="", credentials_file=secret_file(tmp_path))
    client = transport(scripted.url, authorization=auth)
    patch = "application/json; domain-model=x"
    given = [("Content-Type", patch), ("If-None-Match", '"0"')]
    reply = await client.request("PATCH", "/", json=b"{}", headers=given)
    await client.aclose()
    sent = scripted.requests[0].headers
    assert (sent["authorization"], sent["content-type"], sent["if-none-match"]) == (SECRET, patch, '"0"')
    assert reply.headers["etag"] == '"1"'


async def test_a_command_is_asked_again_after_a_401(scripted: ScriptedServer, tmp_path: Path) -> None:
    scripted.on("*", json_reply({}), json_reply({}), text_reply("expired", status=401), json_reply({}))
    count = tmp_path / "count"
    command = ("sh", "-c", f"echo x >> {count}; wc -l < {count}")
    client = transport(scripted.url, authorization=Authorization(credentials_command=command))
    for _ in range(2):
        await client.request("GET", "/")
    with pytest.raises(Unauthorised):
        await client.request("GET", "/")
    await client.request("GET", "/")
    await client.aclose()
    assert [r.headers["authorization"][-1] for r in scripted.requests] == ["1", "1", "1", "2"]


async def test_basic_auth_and_headers(scripted: ScriptedServer, tmp_path: Path) -> None:
    scripted.on("*", json_reply({}))
    file = secret_file(tmp_path)
    headers = {"X-Scope-OrgID": HeaderValue(values=("tenant",)), "X-Key": HeaderValue(files=(file,))}
    client = transport(scripted.url, basic_auth=BasicAuth(username="me", password_file=file), http_headers=headers)
    await client.request("GET", "/")
    await client.aclose()
    sent = scripted.requests[0].headers
    pair = base64.b64encode(f"me:{SECRET}".encode()).decode()
    assert sent["authorization"] == f"Basic {pair}"
    assert (sent["x-scope-orgid"], sent["x-key"]) == ("tenant", SECRET)


async def test_an_unreadable_secret_is_unauthorised_and_not_sent(tmp_path: Path) -> None:
    client = transport("http://127.0.0.1:1", authorization=Authorization(credentials_file=tmp_path / "no"))
    with pytest.raises(Unauthorised) as caught:
        await client.request("GET", "/")
    await client.aclose()
    assert str(tmp_path / "no") in caught.value.message
    assert not caught.value.sent


@pytest.mark.parametrize("place", ["bearer", "basic", "header", "proxy"])
@pytest.mark.parametrize(
    "fault", ["refused", "401", "500", "302", "cut", "hang", "drip", "not-http", "bad-header"]
)
async def test_no_secret_in_any_error(scripted: ScriptedServer, tmp_path: Path, place: str, fault: str) -> None:
    says = {
        "401": text_reply("no", status=401),
        "500": text_reply("no", status=500),
        "302": Say(302, b"Found", (("Location", "https://x.example/"),)),
        "cut": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx"),
        "hang": hang(),
        "drip": drip(),
        "not-http": raw(b"\x00\x01\x02"),
    }
    scripted.on("*", says.get(fault, json_reply({})))
    file = secret_file(tmp_path)
    http: dict[str, object] = {
        "bearer": {"authorization": Authorization(credentials_file=file)},
        "basic": {"basic_auth": BasicAuth(username="me", password_file=file)},
        "header": {"http_headers": {"X-Key": HeaderValue(files=(file,))}},
        "proxy": {"proxy_url": scripted.url.replace("//", f"//me:{SECRET}@")},
    }[place]
    if fault == "bad-header":
        http["http_headers"] = {"X-Bad": HeaderValue(values=(f"{SECRET}\r\nX-Evil: 1",))}
    with refusing_url() as refused:
        url = refused if fault == "refused" else scripted.url
        if place == "proxy" and fault == "refused":
            http["proxy_url"] = refused.replace("//", f"//me:{SECRET}@")
        client = transport(url, **http)
        with pytest.raises(SourceError) as caught:
            await client.request("GET", "/x", deadline=0.3 if fault in ("hang", "drip") else 5)
        await client.aclose()
    error = caught.value
    pair = base64.b64encode(f"me:{SECRET}".encode()).decode()
    told = " ".join([str(error), repr(error), error.message, error.where, error.hint, repr(vars(error))])
    assert SECRET not in told
    assert pair not in told
    assert error.hint


async def test_the_environment_is_not_asked_for_a_proxy(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.on("*", json_reply({}))
    with refusing_url() as refused:
        monkeypatch.setenv("HTTP_PROXY", refused)
        monkeypatch.setenv("ALL_PROXY", refused)
        client = transport(scripted.url)
        await client.request("GET", "/")
        await client.aclose()


async def test_proxy_url_is_used(scripted: ScriptedServer) -> None:
    scripted.on("*", json_reply({"via": "proxy"}))
    client = transport("http://prometheus.invalid:9090", proxy_url=scripted.url)
    reply = await client.request("GET", "/x")
    await client.aclose()
    assert reply.body == b'{"via": "proxy"}'


class Counting(httpx.AsyncBaseTransport):
    """Counts the requests in flight."""

    now = most = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(5):
            await asyncio.sleep(0)
        self.now -= 1
        return httpx.Response(200, content=b"{}")


async def test_the_gate_bounds_requests_of_several_transports() -> None:
    gate, counting = asyncio.Semaphore(3), Counting()
    endpoint = Endpoint(url="http://server.test")
    clients = [Transport(endpoint, clock=ManualClock(), inner=counting, gate=gate) for _ in range(4)]
    replies = await asyncio.gather(*(client.request("GET", "/") for client in clients for _ in range(5)))
    for client in clients:
        await client.aclose()
    assert [reply.body for reply in replies] == [b"{}"] * 20
    assert counting.most == 3


async def test_waiting_for_the_gate_does_not_use_up_the_deadline(scripted: ScriptedServer) -> None:
    scripted.on("*", Say(body=b"{}", delay=0.2))
    gate = asyncio.Semaphore(1)
    client = transport(scripted.url, gate)
    replies = await asyncio.gather(*(client.request("GET", "/", deadline=0.5) for _ in range(4)))
    await client.aclose()
    assert len(replies) == 4


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for the name `server.test`, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=server.test"
        f" -addext subjectAltName=DNS:server.test -keyout {key} -out {cert}".split(),
        check=True,
        capture_output=True,
    )
    return cert, key


@pytest.fixture
async def tls_url(certificate: tuple[Path, Path]) -> object:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


async def test_tls_is_verified_and_the_failure_says_so(tls_url: str) -> None:
    client = transport(tls_url)
    with pytest.raises(Unreachable) as caught:
        await client.request("GET", "/")
    await client.aclose()
    assert "TLS verification failed" in caught.value.message
    assert "ca_file" in caught.value.hint
    assert not caught.value.sent


async def test_tls_with_ca_and_server_name(tls_url: str, certificate: tuple[Path, Path]) -> None:
    wrong = transport(tls_url, tls_config=TlsConfig(ca_file=certificate[0]))
    with pytest.raises(Unreachable) as caught:
        await wrong.request("GET", "/")
    await wrong.aclose()
    assert "127.0.0.1" in caught.value.message
    right = transport(
        tls_url,
        tls_config=TlsConfig(
            ca_file=certificate[0],
            server_name="server.test",
            cert_file=certificate[0],
            key_file=certificate[1],
        ),
    )
    assert (await right.request("GET", "/")).body == b"{}"
    await right.aclose()


async def test_tls_unverified_on_request(tls_url: str) -> None:
    client = transport(tls_url, tls_config=TlsConfig(insecure_skip_verify=True))
    assert (await client.request("GET", "/")).body == b"{}"
    await client.aclose()


async def test_nothing_is_opened_before_the_first_request() -> None:
    client = transport("https://127.0.0.1:1", tls_config=TlsConfig(ca_file=Path("/no/such/file")))
    await client.aclose()
