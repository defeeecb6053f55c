"""Proxies for the way out, from the standard library alone: HTTP (forwarding and CONNECT, also over TLS) and SOCKS5, and a TLS front for a mock."""
import base64
import select
import socket
import ssl
import subprocess
import threading
from urllib.parse import urlsplit


def certificate(directory):
    """For localhost, signed by itself: its path, also what to trust."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], cwd=directory, check=True, capture_output=True)
    return directory / "cert.pem"


def pump(a, b):
    other = {a: b, b: a}
    while True:
        buffered = [s for s in other if isinstance(s, ssl.SSLSocket) and s.pending()]
        for s in buffered or select.select(list(other), [], [])[0]:
            data = s.recv(65536)
            if not data:
                return
            other[s].sendall(data)


def read_exactly(s, count):
    data = b""
    while len(data) < count:
        piece = s.recv(count - len(data))
        if not piece:
            raise OSError("the peer left")
        data += piece
    return data


class Listener:
    """Serves each connection in a thread of its own until it dies."""

    def __init__(self, tls=None):
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(tls, tls.with_name("key.pem"))
        self.open, self.lock = set(), threading.Lock()
        self.listen(0)

    def listen(self, port):
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, args=(self.socket,), daemon=True)
        self.thread.start()

    def accept(self, listening):
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        opened = [connection]
        with self.lock:
            self.open.add(connection)
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
                opened.append(connection)
                with self.lock:
                    self.open.add(connection)
            self.serve(connection, opened)
        except (OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.open -= set(opened)
            for s in opened:
                s.close()

    def dial(self, host, port, opened):
        s = socket.create_connection(("127.0.0.1" if host == "localhost" else host, port), 10)
        opened.append(s)
        return s

    def die(self):
        """As if killed: nobody listens, and what was open is reset."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()
        with self.lock:
            for s in self.open:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def kill(self):
        """With the test, as its processes."""
        if self.socket.fileno() >= 0:
            self.die()

    def alive(self):
        return self.socket.fileno() >= 0

    def return_to_life(self):
        self.listen(self.port)


class TlsFront(Listener):
    """TLS in front of a port."""

    def __init__(self, tls, port):
        self.behind = port
        super().__init__(tls)

    def serve(self, connection, opened):
        pump(connection, self.dial("127.0.0.1", self.behind, opened))


class HttpProxy(Listener):
    """`through`: what was asked for, tunnels with CONNECT before. `refuse`: a status for everybody."""

    def __init__(self, user=None, tls=None):
        self.wants = f"Basic {base64.b64encode(user.encode()).decode()}" if user else None
        self.through, self.refuse = [], None
        super().__init__(tls)

    def serve(self, connection, opened):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(65536)
            if not piece:
                return
            head += piece
        head, _, rest = head.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, target, version = first.split()
        fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        refusal = self.refuse or (407 if self.wants and fields.get("proxy-authorization") != self.wants else None)
        if refusal:
            self.through.append(f"{refusal}")
            connection.sendall(f"HTTP/1.1 {refusal} no\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            return
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            upstream = self.dial(host, int(port), opened)
            self.through.append(f"CONNECT {target}")
            connection.sendall(b"HTTP/1.1 200 there\r\n\r\n")
        else:
            url = urlsplit(target)
            upstream = self.dial(url.hostname, url.port or 80, opened)
            self.through.append(url.netloc)
            kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
            upstream.sendall("\r\n".join([f"{method} {url.path} {version}", *kept, "connection: close", "", ""]).encode() + rest)
        pump(connection, upstream)


class Socks5(Listener):
    """`through`: ("name" or "address", host, port)."""

    def __init__(self, user=None):
        self.user, self.through = user, []
        super().__init__()

    def serve(self, connection, opened):
        version, count = read_exactly(connection, 2)
        offered = read_exactly(connection, count)
        method = 2 if self.user else 0
        if version != 5 or method not in offered:
            connection.sendall(b"\x05\xff")
            return
        connection.sendall(bytes([5, method]))
        if self.user:
            _, length = read_exactly(connection, 2)
            name = read_exactly(connection, length)
            password = read_exactly(connection, read_exactly(connection, 1)[0])
            good = f"{name.decode()}:{password.decode()}" == self.user
            connection.sendall(bytes([1, not good]))
            if not good:
                return
        _, _, _, kind = read_exactly(connection, 4)
        host = read_exactly(connection, read_exactly(connection, 1)[0]).decode() if kind == 3 else socket.inet_ntoa(read_exactly(connection, 4))
        port = int.from_bytes(read_exactly(connection, 2), "big")
        self.through.append(("name" if kind == 3 else "address", host, port))
        upstream = self.dial(host, port, opened)
        connection.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        pump(connection, upstream)
