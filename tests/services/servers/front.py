"""Servers of the tests' own, before or in place of a real one.

Front passes bytes on to a real server: under another certificate, with an old TLS, or holding them back.
CountingFront passes HTTP requests on, counts them, and answers some itself.
"""

import contextlib
import http.client
import http.server
import select
import socket
import ssl
import threading

_SECONDS = 60  # longer than a restart of a server takes


def server_tls(certificate, newest=None, client_ca=None):
    """`newest`: the newest version that is spoken, for servers that have not been updated for long."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    if newest is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")  # else OpenSSL itself refuses old versions
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_tls(ca_file, certificate=None):
    context = ssl.create_default_context(cafile=ca_file)
    if certificate is not None:
        context.load_cert_chain(certificate.certificate, certificate.key)
    return context


class Front:
    """Listens at .port with `tls` and passes on to 127.0.0.1:upstream, with `upstream_tls` where that is needed."""

    def __init__(self, upstream, tls=None, upstream_tls=None):
        self._upstream, self._tls, self._upstream_tls = upstream, tls, upstream_tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.connections = 0
        self.held = 0  # answers, or parts of them, that wait here
        self._open = []
        self._flows = threading.Event()  # cleared: what comes from upstream is held back
        self._flows.set()
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self):
        """What the server answers from now on stays here until release()."""
        self._flows.clear()

    def release(self):
        self._flows.set()

    def drop(self):
        """Ends all connections that there are, and what is held back with them."""
        ended, self._open = self._open, []  # whoever is quick connects again meanwhile
        for each in ended:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._closed = True
        self.drop()
        self._flows.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            stack.callback(client.close)
            client.settimeout(_SECONDS)
            if self._tls is not None:
                client = stack.enter_context(self._tls.wrap_socket(client, server_side=True))
            server = stack.enter_context(socket.create_connection(("127.0.0.1", self._upstream), _SECONDS))
            if self._upstream_tls is not None:
                server = stack.enter_context(self._upstream_tls.wrap_socket(server, server_hostname="localhost"))
            while self._pass_on(client, server):
                pass

    def _pass_on(self, client, server):
        """What one of the two has sent, both of them by one thread, as TLS wants it. False at the end of either."""
        waiting = [each for each in (client, server) if getattr(each, "pending", int)()]
        for source in waiting or select.select([client, server], [], [], _SECONDS)[0]:
            source.setblocking(False)
            try:
                data = source.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue  # nothing but TLS's own
            finally:
                source.settimeout(_SECONDS)
            if not data:
                return False
            if source is server and not self._flows.is_set():
                self.held += 1
                self._flows.wait(_SECONDS)
            (client if source is server else server).sendall(data)
        return not self._closed


class Answer:
    """What a CountingFront answers itself."""

    def __init__(self, status, body=b"", content_type="application/json", headers=None):
        self.status, self.body = status, body if isinstance(body, bytes) else body.encode()
        self.headers = {"Content-Type": content_type, **(headers or {})}


class CountingFront:
    """A reverse proxy for HTTP at .url. Connections of clients are kept, so it shows too whether they reuse them.

    .requests: (method, path) of each, in order. .connections: how many were opened. A function in .intercept gets
    method, path and headers of each request before it is passed on, and returns an Answer, or None to pass it on; it
    may wait.
    """

    def __init__(self, upstream, tls=None):
        self.requests, self.headers, self.connections, self.intercept = [], [], 0, None
        self._lock = threading.Lock()
        self._upstream = upstream
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self.port = self._server.server_address[1]
        self._server.front = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def count(self, method, text):
        with self._lock:
            return sum(each == method and text in path for each, path in self.requests)

    def forget(self):
        with self._lock:
            self.requests, self.headers, self.connections = [], [], 0

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def note_connection(self):
        with self._lock:
            self.connections += 1

    def answer(self, method, path, headers, body):
        with self._lock:
            self.requests.append((method, path))
            self.headers.append(dict(headers))
        made = self.intercept(method, path, headers) if self.intercept else None
        return made or self._pass_on(method, path, headers, body)

    def _pass_on(self, method, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self._upstream, timeout=_SECONDS)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in ("connection", "host")}
            connection.request(method, path, body, kept)
            response = connection.getresponse()
            answer = Answer(response.status, response.read())
            gone = ("connection", "content-length", "transfer-encoding")
            answer.headers = {name: value for name, value in response.getheaders() if name.lower() not in gone}
            return answer
        finally:
            connection.close()


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that hangs up is what some tests are about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.front.note_connection()

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            answer = self.server.front.answer(self.command, self.path, self.headers, body)
        except OSError:
            self.close_connection = True  # as if the server itself had hung up
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any

    def log_message(self, format, *args):
        """Nothing: requests are counted instead."""
