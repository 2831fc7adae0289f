"""Recorded exchanges of a downstream server with a real upstream: read, sent to this server, and compared.

The recordings have bodies only; headers are asserted from observed-behaviour 1.2.
"""

import re
from dataclasses import dataclass

from conformance.wire.http import Answer, exchange
from conformance.wire.soap import DSS_AUTH, SERVER_SYNC, Service, Version

from . import recorded
from .allowed import TIME, Difference, in_common_order

NUMBERS = range(1, 20)
ANCHOR = r"\d+,\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"

# All differences that are allowed between a recorded answer and ours, each with its reason.
ALLOWED = [
    Difference(
        "cookies are sealed by each server with its own key (and blanked in the recordings)",
        r"<(EncryptedData|CookieData)>[A-Za-z0-9+/]+={0,2}</\1>",
        r"<\1>sealed</\1>",
    ),
    Difference("a cookie expires after this handshake", rf"<Expiration>{TIME}</Expiration>", "<Expiration/>"),
    Difference(
        "the configuration of this server changed when it was made",
        rf"<LastChange>{TIME}</LastChange>",
        "<LastChange/>",
    ),
    Difference(
        "anchors count and time this server's changes, in the same form",
        rf"<(NewConfigAnchor|Anchor)>{ANCHOR}</\1>",
        r"<\1/>",
    ),
    Difference(
        "every fault has an id of its own",
        r"<ID>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}</ID>",
        "<ID/>",
    ),
    Difference("the port is the one this server listens on", r"(http://127\.0\.0\.1):\d+/", r"\1:port/"),
]
# The order of revisions means nothing: in recorded lists neither ids nor revisions nor arrivals are ordered.
UNORDERED = (r"<NewRevisions>.*?</NewRevisions>", r"<UpdateIdentity>.*?</UpdateIdentity>")


@dataclass(frozen=True)
class Recorded:
    number: int
    operation: str
    service: Service
    request: str
    response: str

    @property
    def is_fault(self) -> bool:
        return "<soap:Fault>" in self.response

    @property
    def revisions(self) -> set[tuple[str, int]]:
        return listed(self.response)


def of(number: int) -> Recorded:
    where = recorded.folder("server-sync", "exchanges", f"{number:06}")
    request, response = ((where / name).read_text("utf-8") for name in ("request.xml", "response.xml"))
    operation, space = re.search(r'<soap:Body><(\w+) xmlns="([^"]+)"', request).groups()
    (service,) = [one for one in (DSS_AUTH, SERVER_SYNC) if one.namespace == space]
    return Recorded(number, operation, service, request, response)


def listed(text: str) -> set[tuple[str, int]]:
    """The identities an answer names."""
    pair = r"<UpdateID>([^<]*)</UpdateID><RevisionNumber>(\d+)</RevisionNumber>"
    return {(update, int(number)) for update, number in re.findall(pair, text)}


def levelled(text: str) -> str:
    for difference in ALLOWED:
        text = re.sub(difference.pattern, difference.level, text)
    array, member = UNORDERED
    return re.sub(array, lambda found: in_common_order(found[0], member), text, flags=re.DOTALL)


def assert_same(theirs: str, ours: str) -> None:
    left, right = levelled(theirs), levelled(ours)
    at = next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    around = slice(max(at - 200, 0), at + 200)
    assert left == right, f"answers part at character {at}:\nrecorded: {left[around]}\nours:     {right[around]}"


class Session:
    """Sends recorded requests with our cookies and anchors put in."""

    def __init__(self, base: str):
        self.base = base
        self.authorization = self.expiration = self.cookie = ""
        self.anchors: dict[str, str] = {}

    def rewritten(self, one: Recorded) -> str:
        fields = {"CookieData": self.authorization, "Expiration": self.expiration, "EncryptedData": self.cookie}
        text = one.request
        for name, value in fields.items():
            text = re.sub(rf"(<{name}>)[^<]*(</{name}>)", lambda m, value=value: m[1] + value + m[2], text)
        # Anchors of the recorded server become the one we gave for the same operation; what is none stays.
        ours = self.anchors.get(one.operation)
        if ours:
            text = re.sub(rf"(<(?:configAnchor|Anchor)>){ANCHOR}(</)", lambda m: m[1] + ours + m[2], text)
        return text

    def send(self, one: Recorded) -> Answer:
        headers = Version.V11.content_headers(one.service.action(one.operation))
        answer = exchange(self.base, "POST", one.service.path, headers, self.rewritten(one).encode())
        text = answer.body.decode()
        for name, field in (("CookieData", "authorization"), ("Expiration", "expiration"), ("EncryptedData", "cookie")):
            if one.operation.startswith("Get") and (found := re.search(rf"<{name}>([^<]*)<", text)):
                setattr(self, field, found[1])
        if found := re.search(rf"<(?:NewConfigAnchor|Anchor)>({ANCHOR})<", text):
            self.anchors[one.operation] = found[1]
        return answer


def assert_headers(one: Recorded, answer: Answer) -> None:
    assert answer.status == (500 if one.is_fault else 200)
    assert answer.header("Content-Type") == "text/xml; charset=utf-8"
    assert answer.header("Cache-Control") == "private, max-age=0"
    assert answer.header("Content-Length") == str(len(answer.raw))
