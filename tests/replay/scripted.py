"""A scripted upstream: gives a downstream server the recorded answers of a real one, and keeps what it was asked."""

import re
import threading
from base64 import b64encode
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

from lxml import etree

from conformance.wire.soap import local, parse
from tests.support.documents import NAMESPACES

from . import between_servers

# The recorded exchange that answers each operation of the handshake.
HANDSHAKE = {"GetAuthConfig": 1, "GetAuthorizationCookie": 2, "GetCookie": 3, "GetConfigData": 5}
UNCHANGED_CONFIG = 4
LISTS = {True: 6, False: 9}
DOCUMENTS = (13, 14, 15, 16)
# The faults: a revision that nobody knows, an anchor that is none, a call without a cookie.
SPOILT, NO_ANCHOR, NO_COOKIE = 17, 18, 19
NOWHERE = "00000000-0000-0000-0000-00000000000f"

# Rollup was never recorded; answers by its definition.
ROLLUP = {
    "GetRollupConfiguration": (
        "<GetRollupConfigurationResult><DoDetailedRollup>true</DoDetailedRollup>"
        f"<RollupResetGuid>{NOWHERE}</RollupResetGuid><ServerId>{NOWHERE}</ServerId>"
        "<RollupDownstreamServersMaxBatchSize>5000</RollupDownstreamServersMaxBatchSize>"
        "<RollupComputersMaxBatchSize>1500</RollupComputersMaxBatchSize>"
        "<GetOutOfSyncComputersMaxBatchSize>20000</GetOutOfSyncComputersMaxBatchSize>"
        "<RollupComputerStatusMaxBatchSize>500</RollupComputerStatusMaxBatchSize></GetRollupConfigurationResult>"
    ),
    "RollupDownstreamServers": "",
    "RollupComputers": "<RollupComputersResult />",
    "GetOutOfSyncComputers": "<GetOutOfSyncComputersResult />",
    "RollupComputerStatus": "<RollupComputerStatusResult>true</RollupComputerStatusResult>",
}
HEAD = '<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    operation: str
    payload: etree._Element

    def text(self, name: str) -> str | None:
        """The first element of that name, wherever it stands."""
        return next((node.text or "" for node in self.payload.iter() if local(node) == name), None)

    def identities(self) -> list[tuple[str, int]]:
        found = [node for node in self.payload.iter() if local(node) == "UpdateIdentity"]
        return [(node[0].text.lower(), int(node[1].text)) for node in found]


def served(identity: tuple[str, int], document: bytes) -> str:
    """A ServerSyncUpdateData in plain text, for documents of which only the text was recorded."""
    files = etree.fromstring(document).iterfind("upd:Files/upd:File", NAMESPACES)
    digests = "".join(f"<base64Binary>{one.get('Digest')}</base64Binary>" for one in files)
    return (
        f"<ServerSyncUpdateData><Id><UpdateID>{identity[0]}</UpdateID><RevisionNumber>{identity[1]}</RevisionNumber></Id>"
        f"<XmlUpdateBlob>{escape(document.decode())}</XmlUpdateBlob>"
        + (f"<FileDigestList>{digests}</FileDigestList>" if digests else "")
        + "</ServerSyncUpdateData>"
    )


class Upstream:
    """Serves `held` (documents by identity) until it is closed. `asked` has every request in order."""

    def __init__(self, held: dict[tuple[str, int], bytes]):
        self.held = held
        self.asked: list[Asked] = []
        self.answers = {name: between_servers.of(number).response for name, number in HANDSHAKE.items()}
        self.unchanged = between_servers.of(UNCHANGED_CONFIG).response
        self.lists = {config: between_servers.of(number).response for config, number in LISTS.items()}
        # The recorded cookies are over by now, and blanked.
        cookie = self.answers["GetCookie"]
        cookie = re.sub(r"<Expiration>[^<]*", "<Expiration>2199-01-01T00:00:00Z", cookie)
        self.cookie = b64encode(b"the cookie of the scripted upstream").decode()
        self.answers["GetCookie"] = re.sub(r"<EncryptedData>[^<]*", f"<EncryptedData>{self.cookie}", cookie)
        whole, urls = {}, {}
        for number in DOCUMENTS:
            one = between_servers.of(number)
            (identity,) = one.revisions
            whole[identity] = re.search(r"<ServerSyncUpdateData>.*</ServerSyncUpdateData>", one.response)[0]
            urls[identity] = "".join(re.findall(r"<ServerSyncUrlData>.*</ServerSyncUrlData>", one.response))
        self.whole, self.urls = whole, urls
        # Recorded answers by number, given to the next calls of an operation in the place of what is scripted.
        self.instead: dict[str, list[int]] = {}
        # A revision that fails every call that asks for it, as exchange 17 shows.
        self.spoilt: tuple[str, int] | None = None
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = upstream.answer(self.path, headers, body).encode()
                self.send_response(500 if b"<soap:Fault>" in answer else 200)
                self.send_header("Content-Type", "text/xml; charset=utf-8")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def of_kind(self, config: bool) -> list[tuple[str, int]]:
        kinds = {
            identity: etree.fromstring(data).find("upd:Properties", NAMESPACES) for identity, data in self.held.items()
        }
        return [one for one, node in kinds.items() if (node.get("UpdateType") in ("Category", "Detectoid")) is config]

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> str:
        root = parse(body)
        payload = root.find("{*}Body")[0]
        one = Asked(path, headers, local(payload), payload)
        self.asked.append(one)
        if self.instead.get(one.operation):
            return between_servers.of(self.instead[one.operation].pop(0)).response
        bad = any(asked not in self.held or asked == self.spoilt for asked in one.identities())
        if one.operation == "GetUpdateData" and bad:
            return between_servers.of(SPOILT).response
        if one.operation in ROLLUP:
            return self.enveloped(one, ROLLUP[one.operation])
        if one.operation == "GetConfigData" and one.text("configAnchor"):
            return self.unchanged
        if one.operation == "GetRevisionIdList":
            return self.listed(one)
        if one.operation == "GetUpdateData":
            ids = one.identities()
            updates = "".join(self.whole.get(identity) or served(identity, self.held[identity]) for identity in ids)
            urls = "".join(self.urls.get(identity, "") for identity in ids)
            inner = f"<updates>{updates}</updates><fileUrls>{urls}</fileUrls>"
            return self.enveloped(one, f"<GetUpdateDataResult>{inner}</GetUpdateDataResult>")
        return self.answers[one.operation]

    def listed(self, one: Asked) -> str:
        """A recorded list with the revisions held here in the place of those that were not recorded; after
        an anchor, none (exchanges 11 and 12)."""
        config = one.text("GetConfig") == "true"
        pair = "<UpdateIdentity><UpdateID>{}</UpdateID><RevisionNumber>{}</RevisionNumber></UpdateIdentity>"
        again = one.text("Delta") == "false"
        ids = [] if one.text("Anchor") and not again else self.of_kind(config)
        members = "".join(pair.format(*identity) for identity in ids)
        return re.sub(r"<NewRevisions>.*</NewRevisions>", f"<NewRevisions>{members}</NewRevisions>", self.lists[config])

    def enveloped(self, one: Asked, inner: str) -> str:
        space = etree.QName(one.payload).namespace
        response = f'<{one.operation}Response xmlns="{space}">{inner}</{one.operation}Response>'
        return f"{HEAD}<soap:Body>{response}</soap:Body></soap:Envelope>"
