"""A downstream server as its upstream sees one: authorization, revision lists, documents, deployments, rollup."""

import shutil
import subprocess
import tempfile
import uuid
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from .answers import Cookie, child, child_text, children, items
from .client import cookie_markup, identities
from .http import Answer, exchange
from .soap import DSS_AUTH, SERVER_REPORTING, SERVER_SYNC, Reply, Service, Version, element, envelope, text

PROTOCOL = "1.20"
# The order of the children of ServerSyncConfigData (MS-WSUSSS 3.1.4.4.3.2).
CONFIG_ORDER = [
    "CatalogOnlySync",
    "LazySync",
    "ServerHostsPsfFiles",
    "MaxNumberOfComputerIdsInRequest",
    "MaxNumberOfDriverSetsPerRequest",
    "MaxNumberOfPnpHardwareIdsInRequest",
    "MaxNumberOfUpdatesPerRequest",
    "NewConfigAnchor",
    "ProtocolVersion",
    "LanguageUpdateList",
    "MaxUpdatesPerRequestInGetUpdateDecryptionData",
]
# What the times of rollup say for "never" (observed-behaviour 8).
NEVER = "1753-01-01T00:00:00Z"


def entries(name: str, ids: list[str] | None, delta: bool) -> str | None:
    """An array of IdAndDelta; None is left out."""
    if ids is None:
        return None
    return element(name, *(element("IdAndDelta", text("Id", one), text("Delta", delta)) for one in ids))


def identity_of(node: etree._Element) -> tuple[str, int]:
    return child_text(node, "UpdateID").lower(), int(child_text(node, "RevisionNumber"))


@dataclass(frozen=True)
class RevisionList:
    """An answer of GetRevisionIdList."""

    anchor: str
    revisions: list[tuple[str, int]]


@dataclass(frozen=True)
class Served:
    """One ServerSyncUpdateData: a document as it was sent."""

    node: etree._Element

    @property
    def identity(self) -> tuple[str, int]:
        return identity_of(child(self.node, "Id"))

    @property
    def cabinet(self) -> bytes | None:
        data = child_text(self.node, "XmlUpdateBlobCompressed")
        return None if data is None else b64decode(data, validate=True)

    @property
    def text(self) -> str | None:
        return child_text(self.node, "XmlUpdateBlob")

    @property
    def digests(self) -> list[str]:
        return [one.text for one in items(self.node, "FileDigestList")]

    def document(self) -> str:
        """The document's text, whichever way it came."""
        return self.text if self.cabinet is None else extracted(self.cabinet).decode("utf-16-le")


def extracted(cabinet: bytes) -> bytes:
    """The member `blob` of a cabinet, by cabextract, which must find nothing else in it and nothing wrong with it."""
    assert shutil.which("cabextract"), "cabextract is missing; install it with: apt-get install cabextract"
    with tempfile.TemporaryDirectory(prefix="sluicegate-blob-") as folder:
        file = Path(folder, "document.cab")
        file.write_bytes(cabinet)
        done = subprocess.run(
            ["cabextract", "-q", "-d", str(Path(folder, "out")), str(file)], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, ""), f"cabextract: {done.stderr}"
        (member,) = Path(folder, "out").iterdir()
        assert member.name == "blob", member.name
        return member.read_bytes()


class Downstream:
    """One downstream server. Every call opens its own connection."""

    def __init__(self, base: str, version: Version = Version.V11, protocol: str = PROTOCOL):
        self.base = base
        self.id = str(uuid.uuid4())
        self.name = f"child-{self.id[:8]}.example.test"
        self.version = version
        self.protocol = protocol
        self.cookie: Cookie | None = None

    def send(self, service: Service, operation: str, content: str, accept: str | None = None) -> Answer:
        pairs = self.version.content_headers(service.action(operation))
        if accept:
            pairs.append(("Accept-Encoding", accept))
        body = envelope(service, operation, content, self.version)
        return exchange(self.base, "POST", service.path, pairs, body)

    def call(self, service: Service, operation: str, content: str) -> etree._Element:
        """The response element; raises SoapFault on a fault."""
        found = Reply(self.send(service, operation, content)).result()
        assert found.tag == service.tag(f"{operation}Response"), found.tag
        return found

    def sync(self, operation: str, content: str = "", cookie: Cookie | None = None) -> etree._Element | None:
        """An operation of the Server Sync service with the cookie; answers its result element, if it has one."""
        response = self.call(SERVER_SYNC, operation, self.with_cookie(content, cookie))
        return child(response, f"{operation}Result")

    def with_cookie(self, content: str = "", cookie: Cookie | None = None) -> str:
        return (cookie_markup("cookie", cookie or self.cookie) or "") + content

    # Getting in.

    def auth_config(self) -> etree._Element:
        return child(self.call(SERVER_SYNC, "GetAuthConfig", ""), "GetAuthConfigResult")

    def authorization_content(self, name: str | None = None, account: str | None = None) -> str:
        return text("accountName", self.name if name is None else name) + text(
            "accountGuid", self.id if account is None else account
        )

    def authorization(self) -> tuple[str, str]:
        """PlugInId and CookieData."""
        response = self.call(DSS_AUTH, "GetAuthorizationCookie", self.authorization_content())
        result = child(response, "GetAuthorizationCookieResult")
        assert children(result) == ["PlugInId", "CookieData"]
        return child_text(result, "PlugInId"), child_text(result, "CookieData")

    def cookie_content(self, tickets: list[tuple[str, str]], protocol: str | None = None) -> str:
        cookies = (
            element("AuthorizationCookie", text("PlugInId", one), text("CookieData", data)) for one, data in tickets
        )
        return element("authCookies", *cookies) + text("protocolVersion", protocol or self.protocol)

    def get_cookie(self, ticket: tuple[str, str]) -> Cookie:
        response = self.call(SERVER_SYNC, "GetCookie", self.cookie_content([ticket]))
        return Cookie.read(child(response, "GetCookieResult"))

    def authorized(self) -> "Downstream":
        self.cookie = self.get_cookie(self.authorization())
        return self

    # Synchronizing.

    def config(self, anchor: str | None = None) -> etree._Element:
        return self.sync("GetConfigData", text("configAnchor", anchor) or "")

    def filter_content(
        self,
        config: bool = False,
        anchor: str | None = None,
        categories: list[str] | None = None,
        classifications: list[str] | None = None,
        delta: bool = False,
    ) -> str:
        return element(
            "filter",
            text("Anchor", anchor),
            text("GetConfig", config),
            text("Get63LanguageOnly", False),
            entries("Categories", categories, delta),
            entries("Classifications", classifications, delta),
        )

    def revisions(self, **filter) -> RevisionList:
        result = self.sync("GetRevisionIdList", self.filter_content(**filter))
        assert children(result) == ["Anchor", "NewRevisions"], children(result)
        return RevisionList(child_text(result, "Anchor"), [identity_of(one) for one in items(result, "NewRevisions")])

    def update_data(self, ids: list[tuple[str, int]]) -> tuple[list[Served], list[etree._Element]]:
        """The documents, and the ServerSyncUrlData elements."""
        result = self.sync("GetUpdateData", identities("updateIds", ids))
        assert children(result) == ["updates", "fileUrls"], children(result)
        return [Served(one) for one in items(result, "updates")], items(result, "fileUrls")

    def deployments(self, sync_anchor: str, anchor: str = "") -> etree._Element:
        return self.sync("GetDeployments", text("deploymentAnchor", anchor) + text("syncAnchor", sync_anchor))

    # Rollup.

    def rollup(self, operation: str, content: str) -> etree._Element:
        return self.call(SERVER_REPORTING, operation, content)

    def server_content(self, parent: str = str(uuid.UUID(int=0)), last_rollup: str = NEVER) -> str:
        """RollupDownstreamServers with this server alone."""
        counts = "".join(text(name, 0) for name in SUMMARY)
        info = element(
            "DownstreamServerRollupInfo",
            text("ServerId", self.id),
            text("FullDomainName", self.name),
            text("LastSyncTime", NEVER),
            text("ParentServerId", parent),
            text("Version", "10.0.26100.1"),
            text("IsReplica", True),
            text("LastRollupTime", last_rollup),
            element("ServerSummary", counts),
            element("ClientSummaries"),
        )
        return text("clientTime", "2026-10-04T12:00:00Z") + element("downstreamServers", info)

    def computers_content(self, names: list[str], parent: str | None = None) -> str:
        """RollupComputers, without details."""
        one = (
            '<ComputerRollupInfo ComputerId="{}" LastSyncTime="2026-10-04T12:00:00Z" LastSyncResult="1" '
            f'LastReportedRebootTime="{NEVER}" LastReportedStatusTime="{NEVER}" LastInventoryTime="{NEVER}" '
            f'ParentServerId="{parent or self.id}" />'
        )
        told = element("computers", *(one.format(name) for name in names))
        return text("clientTime", "2026-10-04T12:00:00Z") + told


# DownstreamServerRollupServerSummary (MS-WSUSSS 3.1.4.14.3.3).
SUMMARY = [
    "UpdateCount",
    "DeclinedUpdateCount",
    "ApprovedUpdateCount",
    "NotApprovedUpdateCount",
    "UpdatesWithStaleUpdateApprovalsCount",
    "ExpiredUpdateCount",
    "CriticalOrSecurityUpdatesNotApprovedForInstallCount",
    "WsusInfrastructureUpdatesNotApprovedForInstallCount",
    "UpdatesWithClientErrorsCount",
    "UpdatesWithServerErrorsCount",
    "UpdatesNeedingFilesCount",
    "UpdatesNeededByComputersCount",
    "UpdatesUpToDateCount",
    "CustomComputerTargetGroupCount",
    "ComputerTargetCount",
    "ComputerTargetsNeedingUpdatesCount",
    "ComputerTargetsWithUpdateErrorsCount",
    "ComputersUpToDateCount",
]
