"""Certificates: whom the client trusts, and that others get nothing."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from drdash.cloud import wire
from tests.cloud.conftest import ACCEPTED, HEAD, NONE, SERVER, SOON, RawCloud, client_of, reset, then_closed, unclear


@contextmanager
def tls(cloud: RawCloud, folder: Path, *, name: str) -> Iterator[tuple[str, str]]:
    """The cloud behind TLS, with a certificate for ``name``: its URL, and the file of the authority that gave it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    alternative = x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority = folder / f"{name}.pem"
    authority.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    cloud.wrap = lambda connection: context.wrap_socket(connection, server_side=True)
    yield cloud.url.replace("http:", "https:"), str(authority)


def test_a_trusted_certificate_is_enough(cloud: RawCloud, tmp_path: Path) -> None:
    with tls(cloud, tmp_path, name="127.0.0.1") as (url, authority):
        client = client_of(url, ca_bundle=authority)
        cloud.answers = [NONE, NONE, ACCEPTED, reset, then_closed(ACCEPTED[:-9]), cloud.drip(HEAD + b"\r\n{")]

        assert client.servers().whole
        assert client.servers().whole
        assert isinstance(client.stop_failover(SERVER).answer, wire.Accepted)
        assert "reset" in unclear(client, cloud)
        assert "broke" in unclear(client, cloud)
        assert "not there" in unclear(client, cloud, deadline=SOON)
        client.close()


@pytest.mark.parametrize(("name", "trusted"), [("127.0.0.1", False), ("127.0.0.2", True), ("cloud.example.com", True)])
def test_another_certificate_gets_neither_secret_nor_action(
    cloud: RawCloud, tmp_path: Path, name: str, trusted: bool
) -> None:
    with tls(cloud, tmp_path, name=name) as (url, authority):
        client = client_of(url, ca_bundle=authority) if trusted else client_of(url)

        with pytest.raises(wire.NotSent, match="its certificate is not trusted"):
            client.servers()
        assert isinstance(client.stop_failover(SERVER).answer, wire.NeverSent)

    assert cloud.requests == []


def test_a_plain_server_behind_an_https_address_is_never_sent_anything(cloud: RawCloud) -> None:
    def plain(connection: socket.socket) -> socket.socket:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return connection

    cloud.wrap = plain
    with pytest.raises(wire.NotSent, match="TLS failed"):
        client_of(cloud.url.replace("http:", "https:")).servers()
