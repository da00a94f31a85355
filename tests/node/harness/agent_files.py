"""Files that the agent reads: secrets and certificates of key managers."""

import os
import pwd

DIRECTORY = "/run/volcrypt-test-keys"


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
