"""One HTTP exchange at a time, with exactly the headers asked for and the answer as it came."""

import gzip
import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit

from . import xpress

TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What came back. `raw` is the body as sent, `body` the same without Content-Encoding."""

    status: int
    headers: list[tuple[str, str]]
    raw: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name, in any letter case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def encoding(self) -> str:
        return (self.header("Content-Encoding") or "identity").strip().lower()

    @property
    def body(self) -> bytes:
        if self.encoding == "xpress":
            return xpress.decompress(self.raw)
        if self.encoding == "gzip":
            return gzip.decompress(self.raw)
        if self.encoding == "identity":
            return self.raw
        raise ValueError(f"the server used Content-Encoding {self.encoding}, which nobody asked for")


def exchange(
    base: str,
    method: str,
    path: str,
    headers: list[tuple[str, str]] | dict[str, str] = (),
    body: bytes | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> Answer:
    """Sends one request over a connection of its own. Content-Length is added when a body is given
    without one; Host when it is not among the headers."""
    parts = urlsplit(base)
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    names = {name.lower() for name, _ in pairs}
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)
    try:
        connection.putrequest(method, parts.path.rstrip("/") + path, skip_host=True, skip_accept_encoding=True)
        if "host" not in names:
            connection.putheader("Host", parts.netloc)
        if body is not None and "content-length" not in names and "transfer-encoding" not in names:
            connection.putheader("Content-Length", str(len(body)))
        for name, value in pairs:
            connection.putheader(name, value)
        connection.endheaders()
        try:
            if body:
                connection.send(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # A server may refuse a large body before it has read it; its answer is still waiting.
        response = connection.getresponse()
        return Answer(response.status, list(response.getheaders()), response.read())
    finally:
        connection.close()
