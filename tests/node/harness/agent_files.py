"""Files that the agent reads: secrets and certificates of key managers."""

import os
import pwd

DIRECTORY = "/run/volcrypt-test-keys"
DEFAULT_IS_BARBICAN = """
[key_manager]
default = "barbican"
"""
_BARBICAN = """
[key_managers.barbican]
type = "barbican"
auth_url = "{cloud.keystone.url}"
username = "{user}"
password_file = "{files}/{user}.password"
project_name = "tenant"
region = "RegionOne"
interface = "internal"
ca_file = "{files}/ca.pem"
"""
_KMIP = """
[key_managers.kmip]
type = "kmip"
servers = ["{server.address}"]
client_certificate = "{files}/client.pem"
client_private_key = "{files}/client.key"
ca_file = "{files}/kmip-ca.pem"
"""


def give_to_agent(name, text):
    """A file that only the agent may read, whoever it has become; its path."""
    os.makedirs(DIRECTORY, exist_ok=True)
    path = os.path.join(DIRECTORY, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(text)
    account = pwd.getpwnam("volcrypt")
    os.chown(path, account.pw_uid, account.pw_gid)
    return path


def give_copy_to_agent(name, path):
    with open(path, encoding="ascii") as file:
        return give_to_agent(name, file.read())


def barbican_section(cloud, user="nova"):
    """[key_managers.barbican] for an agent that is this user of the Cloud.

    It is given the user's password and the Cloud's authority, as USER.password and ca.pem.
    """
    give_to_agent(f"{user}.password", cloud.passwords[user])
    give_copy_to_agent("ca.pem", cloud.ca_file)
    return _BARBICAN.format(cloud=cloud, user=user, files=DIRECTORY)


def kmip_section(server):
    """[key_managers.kmip] for an agent that is the client of the PyKmip's Pki.

    It is given that client's certificate and key and the authority, as client.pem, client.key and kmip-ca.pem.
    """
    give_copy_to_agent("client.pem", server.pki.client.certificate)
    give_copy_to_agent("client.key", server.pki.client.key)
    give_copy_to_agent("kmip-ca.pem", server.pki.authority.file)
    return _KMIP.format(server=server, files=DIRECTORY)
