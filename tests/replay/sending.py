"""Sends a recorded request to a server: every header and byte as recorded, except what only the recorded server
could know, namely its cookies, its revision ids and its time of configuration."""

import re

from conformance.wire.answers import Cookie, child_text
from conformance.wire.client import Computer
from conformance.wire.http import Answer, exchange
from conformance.wire.soap import Reply

from .allowed import ABSENT_HEADERS, OWN_VALUE_HEADERS
from .recorded import Exchange


class Session:
    """The recorded agent, talking to our server."""

    def __init__(self, base: str):
        self.base = base
        self.last_change = ""
        self.authorization = ""
        self.cookie: Cookie | None = None
        # Recorded revision id to ours.
        self.ids: dict[int, int] = {}

    @property
    def back(self) -> dict[int, int]:
        """Our revision id to the recorded one."""
        return {ours: recorded for recorded, ours in self.ids.items()}

    def rewritten(self, recorded: Exchange) -> bytes:
        text = recorded.request.decode()
        if self.cookie:
            text = re.sub(
                r"(<cookie><Expiration>)[^<]*(</Expiration><EncryptedData>)[^<]*(</EncryptedData></cookie>)",
                rf"\g<1>{self.cookie.expiration}\g<2>{self.cookie.data}\g<3>",
                text,
            )
        text = re.sub(r"(<CookieData>)[^<]*(</CookieData>)", rf"\g<1>{self.authorization}\g<2>", text)
        text = re.sub(r"(<lastChange>)[^<]*(</lastChange>)", rf"\g<1>{self.last_change}\g<2>", text)
        text = re.sub(r"<int>(\d+)</int>", lambda m: f"<int>{self.ids.get(int(m[1]), int(m[1]))}</int>", text)
        return text.encode()

    def send(self, recorded: Exchange) -> Answer:
        body = self.rewritten(recorded)
        headers = [(name, str(len(body)) if name == "Content-Length" else value) for name, value in recorded.headers]
        return exchange(self.base, recorded.method, recorded.path, headers, body)

    def sign_on(self, config: Exchange, authorization: Exchange, cookie: Exchange, register: Exchange) -> None:
        """The recorded handshake, for exchanges whose own handshake was not recorded."""
        result = Reply(self.send(config)).result()[0]
        self.last_change = child_text(result, "LastChange")
        self.authorization = child_text(Reply(self.send(authorization)).result()[0], "CookieData")
        self.cookie = Cookie.read(Reply(self.send(cookie)).result()[0])
        Reply(self.send(register)).result()

    def computer(self) -> Computer:
        """The same computer through the ordinary client of these checks."""
        computer = Computer(self.base)
        computer.cookie = self.cookie
        return computer


def assert_headers(recorded: Exchange, answer: Answer) -> None:
    """Every recorded header is there with its value, save those allowed to differ; and the agent got the
    encoding it asked for (the recordings are decoded, so they do not show it)."""
    assert answer.status == recorded.status
    ours = {name.lower(): value for name, value in answer.headers}
    for name, value in recorded.response_headers:
        key = name.lower()
        if key in ABSENT_HEADERS:
            continue
        assert key in ours, f"{recorded.name}: no {name} header"
        if key not in OWN_VALUE_HEADERS:
            assert ours[key] == value, f"{recorded.name}: {name}"
    allowed = {name.lower() for name, _ in recorded.response_headers} | {"content-encoding"}
    assert set(ours) <= allowed, f"{recorded.name}: headers nobody recorded: {sorted(set(ours) - allowed)}"
    assert int(ours["content-length"]) == len(answer.raw)
    if ("Accept-Encoding", "xpress") in recorded.headers:
        assert answer.encoding == "xpress"
