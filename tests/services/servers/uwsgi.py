"""uWSGI as Keystone and Barbican are run here."""

import os

from servers.process import Process


def uwsgi(name, directory, address, certificate, keeps_connections=False):
    """NAME_app.py as a process at HOST:PORT.

    It listens before it has imported that, hence a file that says when it is ready.

    One worker and one thread: with more, SQLite answers some requests "database is locked". So a connection that is kept
    keeps everybody else waiting: that is for benchmarks, whose clients come one after the other.
    """
    application = os.path.join(os.path.dirname(__file__), f"{name}_app.py")
    closing = ("--add-header", "Connection: close")  # or clients reuse what is about to be closed
    if keeps_connections:
        listen, closing = ("--http11-socket", address), ()
    elif certificate is None:
        listen = ("--http-socket", address)
    else:
        listen = ("--https-socket", f"{address},{certificate.certificate},{certificate.key}")
    command = [
        "uwsgi", "--plugin", "python3", *listen, "--wsgi-file", application,
        "--need-app", "--die-on-term", "--listen", "100", "--buffer-size", "65535",
        *closing, "--log-format", "%(method) %(uri) %(status)",
    ]  # fmt: skip
    environment = {"VOLCRYPT_TEST_DIRECTORY": directory, "HOME": directory}
    return Process(name, command, directory, environment)
