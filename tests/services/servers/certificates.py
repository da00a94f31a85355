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
        _publish(self.file, builder.sign(self._key, hashes.SHA256()))
        self._revoked = []

    def server(self, name, hosts=LOOPBACK, expired=False, key_of=None):
        """For a server that answers at `hosts`, names or addresses; with the key of another certificate, renewed."""
        return self._issue(name, hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, hosts, expired, key_of)

    def client(self, name, names=(), expired=False):
        """The name is the identity: PyKMIP takes the common name as the owner of keys. `names`: the alternative ones,
        hosts or URIs."""
        return self._issue(name, name, ExtendedKeyUsageOID.CLIENT_AUTH, names, expired)

    def revoke(self, issued, path):
        """Writes the list of all that were revoked by now."""
        now = datetime.datetime.utcnow()
        with open(issued.certificate, "rb") as file:
            number = x509.load_pem_x509_certificate(file.read()).serial_number
        self._revoked.append(x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now).build())
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name).last_update(now).next_update(now + _HOUR)
        for revoked in self._revoked:
            builder = builder.add_revoked_certificate(revoked)
        _publish(path, builder.sign(self._key, hashes.SHA256()))

    def _issue(self, name, common_name, purpose, names, expired, key_of=None):
        key = _read_key(key_of) if key_of else ec.generate_private_key(ec.SECP256R1())
        issued = Certificate(self._directory, name)
        now = datetime.datetime.utcnow()
        begin, end = (now - 2 * _HOUR, now - _HOUR) if expired else (now - _HOUR, now + 24 * _HOUR)
        builder = _builder(_subject(common_name), self._name, key, begin, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(digital_signature=True, key_agreement=True), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False)
        _publish(issued.certificate, builder.sign(self._key, hashes.SHA256()))
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


def _general_name(name):
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _read_key(issued):
    with open(issued.key, "rb") as file:
        return serialization.load_pem_private_key(file.read(), None)


def _publish(path, what):
    _write(path, what.public_bytes(serialization.Encoding.PEM), 0o644)


def _write(path, data, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
