"""The control of reads from a node: the same bytes through a socket and nothing else."""

import socket
from urllib.parse import urlsplit


class BareSocket:
    """One kept-alive connection that sends the same request again and again."""

    def __init__(self, url: str, body: bytes) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"POST / HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        self._request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def exchange(self) -> bytes:
        """Return the body of the answer."""
        self._socket.sendall(self._request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._socket.recv(65_536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        while len(body) < length:
            body += self._socket.recv(65_536)
        return body
