"""`g2a doctor`: every line, when all is well and when it is not."""

import json
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tools.cli import Command

from g2a_async.emulator import Emulator

pytest_plugins = ("tools.fixtures",)

ORDER = ["configuration", "dns", "tls", "clock", "token", "quota"]


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch, emulator: Emulator, tmp_path: Path) -> Emulator:
    """Run a service that the environment names, for a user without a login."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return emulator


class Doctor:
    """What the doctor found."""

    def __init__(self, g2a: Command) -> None:
        self.code, out, self.err = g2a("doctor")
        self.text = out + self.err
        rows = [json.loads(line) for line in out.splitlines()]
        assert [row["check"] for row in rows] == ORDER
        self.results = {row["check"]: row["result"] for row in rows}
        self.told = {row["check"]: f"{row['detail']} {row['advice']}" for row in rows}

    @property
    def bad(self) -> dict[str, str]:
        """What is not ok."""
        return {name: result for name, result in self.results.items() if result != "ok"}


def test_all_is_well(emulator: Emulator, g2a: Command) -> None:
    """Six lines, exit code 0, two requests that only read, and no secret."""
    found = Doctor(g2a)
    assert (found.code, found.err, found.bad) == (0, "", {})
    assert "G2A_ACCESS_TOKEN" in found.told["configuration"]
    assert emulator.access_token not in found.text
    assert [entry.method for entry in emulator.journal] == ["GET", "GET"]
    assert emulator.journal.of()[0].authorization is None


def test_lines_for_people(emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each check, folded within 80 columns, with what to do below what failed."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("G2A_ACCESS_TOKEN", "wr0ng")
    code, out, _ = g2a("doctor", "--output", "table")
    assert code == 3
    assert max(map(len, out.splitlines())) <= 80
    assert "failed   token" in out
    assert "Get a new token" in out
    assert "wr0ng" not in out


def test_a_wrong_token(emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A matter of credentials, with how to get a new one; the quota is not to blame."""
    monkeypatch.setenv("G2A_ACCESS_TOKEN", "wr0ng")
    found = Doctor(g2a)
    assert (found.code, found.bad) == (3, {"token": "failed"})
    assert "g2a login --store file --client-id ID" in found.told["token"]


def test_no_credentials(emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Says what could be set, and still looks at the way to the service."""
    monkeypatch.delenv("G2A_ACCESS_TOKEN")
    found = Doctor(g2a)
    assert found.code == 3
    assert found.bad == {"configuration": "failed", "token": "skipped", "quota": "skipped"}
    assert "G2A_REFRESH_TOKEN" in found.told["configuration"]


def test_a_wrong_address(emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be looked at, and the variable is named."""
    monkeypatch.setenv("G2A_BASE_URL", "nowhere")
    found = Doctor(g2a)
    assert found.code == 3
    assert set(found.bad) == set(ORDER)
    assert found.told["configuration"].startswith("G2A_BASE_URL must be")
    assert len(emulator.journal) == 0


def test_refresh_tokens(emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client whose refresh works is well; one whose secret is wrong is told where to look."""
    monkeypatch.delenv("G2A_ACCESS_TOKEN")
    monkeypatch.setenv("G2A_CLIENT_ID", emulator.client_id)
    monkeypatch.setenv("G2A_CLIENT_SECRET", emulator.client_secret)
    monkeypatch.setenv("G2A_REFRESH_TOKEN", emulator.refresh_token)
    monkeypatch.setenv("G2A_TOKEN_URL", emulator.token_url)
    found = Doctor(g2a)
    assert (found.code, found.bad) == (0, {})
    assert "G2A_REFRESH_TOKEN" in found.told["configuration"]
    monkeypatch.setenv("G2A_CLIENT_SECRET", "wr0ng")
    found = Doctor(g2a)
    assert (found.code, found.results["token"]) == (3, "failed")
    assert "G2A_CLIENT_SECRET" in found.told["token"]
    assert "wr0ng" not in found.text


@pytest.mark.parametrize(("hours", "words"), [(-2, "ahead of"), (2, "behind")])
def test_a_wrong_clock(emulator: Emulator, g2a: Command, hours: int, words: str) -> None:
    """The service's own time is what counts; the line says by how much, and what to do."""
    date = format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)
    emulator.faults.add("*", status=404, headers={"Date": date})
    found = Doctor(g2a)
    assert (found.code, found.bad) == (1, {"clock": "failed"})
    assert f"s {words} the service" in found.told["clock"]
    assert "timedatectl" in found.told["clock"]


def test_a_service_without_a_clock(emulator: Emulator, g2a: Command) -> None:
    """A date that is none is no failure."""
    emulator.faults.add("*", status=404, headers={"Date": "soon"})
    found = Doctor(g2a)
    assert (found.code, found.bad) == (0, {"clock": "skipped"})


def test_a_quota_that_is_used_up(emulator: Emulator, g2a: Command) -> None:
    """Exit code 4; the token was not looked at."""
    emulator.faults.add("GET /sessions", status=429, headers={"Retry-After": "3000"})
    found = Doctor(g2a)
    assert (found.code, found.bad) == (4, {"token": "skipped", "quota": "failed"})


@pytest.mark.parametrize(
    ("status", "code", "words"), [(403, 3, "role"), (500, 1, "later"), (400, 1, "above"), (404, 1, "G2A_BASE_URL")]
)
def test_a_service_that_refuses(emulator: Emulator, g2a: Command, status: int, code: int, words: str) -> None:
    """What to do depends on what it says; it is asked once."""
    emulator.faults.add("GET /sessions", status=status, times=None)
    found = Doctor(g2a)
    assert (found.code, found.bad) == (code, {"token": "failed"})
    assert words in found.told["token"]
    assert emulator.journal.count("GET /sessions") == 1


def test_nobody_there(emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is not found, and a port where nobody speaks TLS: each check says so, and none hides another."""
    monkeypatch.setenv("G2A_BASE_URL", "https://g2a.invalid/rest")
    found = Doctor(g2a)
    assert found.code == 1
    assert set(found.bad) == {"dns", "tls", "clock", "token", "quota"}
    assert "g2a.invalid is not found" in found.told["dns"]
    port = urlsplit(emulator.url).port
    monkeypatch.setenv("G2A_BASE_URL", f"https://127.0.0.1:{port}/rest")
    found = Doctor(g2a)
    assert found.results["dns"] == "ok"
    assert found.results["tls"] == "failed"


def test_plain_http_to_elsewhere(emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is a failure of its own, as tokens would be read on their way."""
    monkeypatch.setenv("G2A_BASE_URL", "http://g2a.invalid/rest")
    found = Doctor(g2a)
    assert found.results["tls"] == "failed"
    assert "https" in found.told["tls"]


def test_through_a_proxy(emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are left to it, its password is not shown, and what does not come through is told."""
    port = urlsplit(emulator.url).port
    monkeypatch.setenv("https_proxy", f"http://user:passw0rd@127.0.0.1:{port}")
    monkeypatch.setenv("G2A_BASE_URL", "https://g2a.invalid/rest")
    found = Doctor(g2a)
    assert found.results["dns"] == found.results["tls"] == "skipped"
    assert found.results["clock"] == "failed"
    assert f"***@127.0.0.1:{port}" in found.told["dns"]
    assert "passw0rd" not in found.text


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serve HTTP by TLS for 127.0.0.1, with a certificate of its own; its address, and the certificate."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "g2a test")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file, secret = tmp_path / "tls.pem", tmp_path / "key.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    with HTTPServer(("127.0.0.1", 0), Quiet) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that refuse it are no news
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}/rest", file
        server.shutdown()
        thread.join()


class Quiet(BaseHTTPRequestHandler):
    """Answers 501 to everything, and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Nothing."""


def test_a_certificate(
    emulator: Emulator, g2a: Command, monkeypatch: pytest.MonkeyPatch, tls_server: tuple[str, Path]
) -> None:
    """One that nobody vouches for is refused, with the reason; one that SSL_CERT_FILE trusts is told with its end."""
    url, file = tls_server
    monkeypatch.setenv("G2A_BASE_URL", url)
    found = Doctor(g2a)
    assert found.results["tls"] == "failed"
    assert "the certificate is refused: self" in found.told["tls"]
    assert "SSL_CERT_FILE" in found.told["tls"]
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    found = Doctor(g2a)
    assert found.results["tls"] == "ok"
    assert re.match(r"TLSv1\.3, certificate valid until \w+ +\d+ ", found.told["tls"])
