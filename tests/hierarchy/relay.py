"""A relay between a downstream server and its upstream. It counts what passes, and disturbs what it is told to."""

import base64
import http.client
import re
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

FAULT = (
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault>'
    "<faultcode>soap:Client</faultcode><faultstring>Fault occurred</faultstring><detail>"
    "<ErrorCode>{code}</ErrorCode><Message>made by a check</Message><ID>{id}</ID><Method>{method}</Method>"
    "</detail></soap:Fault></soap:Body></soap:Envelope>"
)


@dataclass
class Passed:
    """One request and what came of it."""

    name: str  # The operation, or the path of a file.
    status: int = 0
    whole: bool = False  # The answer went through untouched and to its end.
    body: int = 0


@dataclass
class Trouble:
    """What happens to the request of a class (any when None) that is `at` of them away; 0 is the next. `part` from 0
    to 1 says where in the answer."""

    kind: str
    at: int
    part: float = 0.5
    act: Callable[[], None] = field(default=lambda: None)
    of: str | None = None
    name: str = ""  # What it happened to.


# The classes of requests, by operation; everything else is a file.
CLASSES = {
    "handshake": ("GetAuthConfig", "GetAuthorizationCookie", "GetCookie", "GetConfigData"),
    "list": ("GetRevisionIdList",),
    "data": ("GetUpdateData",),
    "deployments": ("GetDeployments",),
    "rollup": (
        "GetRollupConfiguration", "RollupDownstreamServers", "RollupComputers", "GetOutOfSyncComputers",
        "RollupComputerStatus",
    ),
}


def class_of(name: str) -> str:
    return next((one for one, names in CLASSES.items() if name in names), "file")


class Relay:
    """Passes requests on to `upstream()` and answers back. Use as a context manager."""

    def __init__(self, upstream: Callable[[], str], tls: ssl.SSLContext | None = None):
        self.upstream = upstream
        # Answers in the place of the upstream: a status for an operation or path, None to pass it on.
        self.refuse: Callable[[str, str], int | None] = lambda _name, _path: None
        self.passed: list[Passed] = []
        self.troubles: list[Trouble] = []
        self.done: list[Trouble] = []
        self.rewrite: Callable[[str, bytes], bytes] = lambda _name, body: body
        self.lock = threading.Lock()
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                relay.pass_on(self)

            do_GET = do_POST
            do_HEAD = do_POST
            do_PUT = do_POST

            def log_message(self, *_words):
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_words):
                pass  # Connections are cut on purpose.

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
            self.base = f"https://localhost:{self.server.server_address[1]}"

    def __enter__(self) -> "Relay":
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_exception) -> None:
        self.server.shutdown()
        self.server.server_close()

    # What passed.

    def forget(self) -> None:
        with self.lock:
            self.passed.clear()

    def counts(self) -> Counter:
        """How often each operation was called and each file asked for."""
        with self.lock:
            return Counter(one.name for one in self.passed)

    def files(self) -> Counter:
        return Counter({name: count for name, count in self.counts().items() if name.startswith("/")})

    def trouble(
        self,
        kind: str,
        at: int,
        part: float = 0.5,
        act: Callable[[], None] = lambda: None,
        of: str | None = None,
    ) -> None:
        """Disturbs the request that is `at` requests (of a class) away: 0 is the next."""
        with self.lock:
            self.troubles.append(Trouble(kind, at, part, act, of))

    def next_trouble(self, name: str) -> Trouble | None:
        """What happens to a request that came: the first trouble whose time it is. The others come nearer."""
        chosen = None
        for trouble in [one for one in self.troubles if one.of in (None, class_of(name))]:
            if trouble.at <= 0 and chosen is None:
                chosen = trouble
                self.troubles.remove(trouble)
            else:
                trouble.at -= 1
        return chosen

    def happened(self, trouble: Trouble, one: Passed) -> None:
        """Something was altered indeed. What could not be is tried on the next request."""
        trouble.name = one.name
        self.done.append(trouble)

    # Passing on.

    def pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        action = handler.headers.get("SOAPAction", "").strip('"')
        one = Passed(action.rsplit("/", 1)[-1] if action else handler.path)
        with self.lock:
            self.passed.append(one)
            trouble = self.next_trouble(one.name)
        kind = trouble.kind if trouble else None
        refused = self.refuse(one.name, handler.path)
        if refused:
            return self.answer(handler, refused, [("Content-Type", "text/html")], b"no such page", one, whole=False)
        if kind == "cut before":
            self.happened(trouble, one)
            return self.cut(handler)
        if kind == "busy":
            self.happened(trouble, one)
            return self.answer(handler, 503, [("Content-Type", "text/html")], b"busy", one, whole=False)
        if kind and kind.startswith("fault ") and action:
            self.happened(trouble, one)
            code = kind.split()[1]
            text = FAULT.format(code=code, id="11111111-2222-4333-8444-555555555555", method=one.name).encode()
            return self.answer(handler, 500, [("Content-Type", "text/xml; charset=utf-8")], text, one, whole=False)
        if kind in ("kill before", "act before"):
            self.happened(trouble, one)
            trouble.act()
        try:
            status, headers, answer = self.ask(handler, body)
        except (OSError, http.client.HTTPException):
            return self.cut(handler)
        if kind == "kill after":
            self.happened(trouble, one)
            trouble.act()
        if kind in ("cut", "kill within"):
            self.happened(trouble, one)
            return self.send_part(handler, status, headers, answer, trouble)
        altered = altering(kind, answer, trouble.part) if kind and handler.command != "HEAD" else None
        if altered is not None:
            self.happened(trouble, one)
            return self.answer(handler, status, headers, altered, one, whole=False)
        if kind in ALTERING:
            with self.lock:
                self.troubles.append(trouble)
        return self.answer(handler, status, headers, self.rewrite(one.name, answer), one)

    def ask(self, handler: BaseHTTPRequestHandler, body: bytes):
        place = urlsplit(self.upstream())
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        try:
            headers = {k: v for k, v in handler.headers.items() if k.lower() not in ("connection", "accept-encoding")}
            connection.request(handler.command, handler.path, body or None, headers)
            answer = connection.getresponse()
            data = answer.read()
            kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in HOP]
            if handler.command == "HEAD":
                kept.append(("Content-Length", answer.headers.get("Content-Length", "0")))
            return answer.status, kept, data
        finally:
            connection.close()

    def answer(self, handler, status, headers, body, one: Passed, whole: bool = True) -> None:
        handler.send_response_only(status)
        for name, value in headers:
            handler.send_header(name, value)
        if handler.command != "HEAD":
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)
            handler.wfile.flush()
        one.status, one.body, one.whole = status, len(body), whole and status < 300

    def send_part(self, handler, status, headers, body, trouble: Trouble) -> None:
        """The head says it all comes, then the connection is cut somewhere in it."""
        handler.send_response_only(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: min(int(len(body) * trouble.part), max(len(body) - 1, 0))])
        handler.wfile.flush()
        if trouble.kind == "kill within":
            trouble.act()
        self.cut(handler)

    @staticmethod
    def cut(handler) -> None:
        """A reset, not an orderly end."""
        handler.close_connection = True
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()


HOP = ("connection", "transfer-encoding", "content-length", "keep-alive", "date", "server")
BLOB = re.compile(rb"<XmlUpdateBlobCompressed>([^<]+)</XmlUpdateBlobCompressed>")


ALTERING = ("truncate", "corrupt blob", "corrupt markup", "corrupt file")


def altering(kind: str, body: bytes, part: float) -> bytes | None:
    """Another answer in the place of `body`; None when there is nothing in it that this kind can alter."""
    if kind == "truncate":
        return body[: int(len(body) * part)] if body else None
    if kind == "corrupt blob":
        return spoilt_blob(body, part)
    markup = body.lstrip().startswith(b"<")
    if kind == "corrupt markup" and markup:
        # Not any byte: another digit in an id would be another id, which only TLS can tell.
        at = body.rfind(b"<", 0, min(int(len(body) * part), len(body) - 1) + 1)
        return changed(body, max(at, 0), lambda _: 0x01)
    if kind == "corrupt file" and body and not markup:
        return changed(body, min(int(len(body) * part), len(body) - 1), lambda byte: byte ^ 0x01)
    return None


def changed(body: bytes, at: int, to: Callable[[int], int]) -> bytes:
    return body[:at] + bytes([to(body[at])]) + body[at + 1 :]


def spoilt_blob(body: bytes, part: float) -> bytes | None:
    """Another byte within one of the compressed documents of an answer, behind the head of its Cabinet."""
    blobs = list(BLOB.finditer(body))
    if not blobs:
        return None
    chosen = blobs[int(len(blobs) * part) % len(blobs)]
    blob = base64.b64decode(chosen[1])
    blob = changed(blob, 60 + int((len(blob) - 61) * part), lambda byte: byte ^ 0x55)
    return body[: chosen.start(1)] + base64.b64encode(blob) + body[chosen.end(1) :]
