"""A certificate authority for one run, and certificates of every kind that a test needs, right and wrong."""

import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_HOUR = datetime.timedelta(hours=1)
LOOPBACK = ("localhost", "127.0.0.1")


class Certificate:
    """.certificate and .key: paths of PEM files."""

    def __init__(self, directory, name):
        self.certificate = os.path.join(directory, f"{name}.pem")
        self.key = os.path.join(directory, f"{name}.key")


class Authority:
    """EC P-256, as the certificates that it issues."""

    def __init__(self, directory, name="test authority"):
        os.makedirs(directory, exist_ok=True)
        self._directory, self._key = directory, ec.generate_private_key(ec.SECP256R1())
        self._name = _subject(name)
        now = datetime.datetime.utcnow()
        builder = _builder(self._name, self._name, self._key, now - _HOUR, now + 24 * _HOUR)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        self.file = os.path.join(directory, "ca.pem")
        _write(self.file, builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def server(self, name, hosts=LOOPBACK, expired=False):
        """For a server that answers at `hosts`, names or addresses."""
        alternatives = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        return self._issue(name, hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, alternatives, expired)

    def client(self, name):
        """The name is the identity: PyKMIP takes the common name as the owner of keys."""
        return self._issue(name, name, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _issue(self, name, common_name, purpose, alternatives=None, expired=False):
        key, issued = ec.generate_private_key(ec.SECP256R1()), Certificate(self._directory, name)
        now = datetime.datetime.utcnow()
        begin, end = (now - 2 * _HOUR, now - _HOUR) if expired else (now - _HOUR, now + 24 * _HOUR)
        builder = _builder(_subject(common_name), self._name, key, begin, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(digital_signature=True, key_agreement=True), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=False)
        _write(issued.certificate, builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        _write(issued.key, key.private_bytes(*pem))
        return issued


def _subject(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject, issuer, key, begin, end):
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)


def _usage(**granted):
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: granted.get(name, False) for name in names})


def _general_name(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path, data):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
