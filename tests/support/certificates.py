"""Certificates for servers of tests: an authority, and what it signs; valid for an hour or over since."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, both as PEM."""

    pem: str
    key: str

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write both files and return their paths; the key is its owner's alone."""
        paths = folder / "server.crt", folder / "server.key"
        for path, text in zip(paths, (self.pem, self.key), strict=True):
            path.write_text(text)
            path.chmod(0o600)
        return paths


class Authority:
    """Signs certificates that whoever trusts it takes."""

    def __init__(self, name: str = "Mill's authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        made = _certificate(self._name, self._name, self._key, ended=False)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        made = made.add_extension(usage, critical=True)
        made = made.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
        )
        self.pem = made.sign(self._key, SHA256()).public_bytes(Encoding.PEM).decode()

    def sign(self, host: str, *, ended: bool = False) -> Certificate:
        """Return a certificate for a host's name or address; `ended` is one that is over."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(_named(host), self._name, key, ended=ended)
        made = made.add_extension(x509.SubjectAlternativeName([_general(host)]), critical=False)
        mine = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = made.add_extension(mine, critical=False)
        pem = made.sign(self._key, SHA256()).public_bytes(Encoding.PEM).decode()
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return Certificate(pem, plain)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, ended: bool
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    until = now - HOUR if ended else now + HOUR
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * HOUR)
        .not_valid_after(until)
    )
