"""A computer as the services see one: handshake, scan, extended information, reports."""

import uuid
from datetime import UTC, datetime

from lxml import etree

from . import answers
from .answers import Cookie, Sync, Update, child, child_text
from .http import Answer, exchange
from .soap import (
    CLIENT,
    REPORTING,
    SIMPLE_AUTH,
    Reply,
    Service,
    Version,
    array,
    element,
    envelope,
    text,
)

USER_AGENT = "Windows-Update-Agent/1507.2601.30012.0 Client-Protocol/2.90"
NATIVE_PROTOCOL = "2.90"


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def cookie_markup(name: str, cookie: Cookie | None) -> str | None:
    """A cookie under a name the operation chooses; None is left out, as a missing parameter."""
    if cookie is None:
        return None
    return element(name, text("Expiration", cookie.expiration), text("EncryptedData", cookie.data))


def identities(name: str, ids: list[tuple[str, int]] | None) -> str | None:
    """An array of UpdateIdentity."""
    if ids is None:
        return None
    return element(
        name,
        *(
            element("UpdateIdentity", text("UpdateID", update), text("RevisionNumber", number))
            for update, number in ids
        ),
    )


def device(
    hardware_ids: list[str],
    compatible_ids: list[str] | None = None,
    installed: dict[str, str] | None = None,
) -> str:
    """One Device of a system specification; `installed` gives children of installedDriver in schema order."""
    driver = None
    if installed is not None:
        driver = element("installedDriver", *(text(key, value) for key, value in installed.items()))
    return element(
        "Device",
        array("HardwareIDs", "string", hardware_ids),
        array("CompatibleIDs", "string", compatible_ids),
        driver,
    )


COMPUTER_INFO = {
    "DnsName": None,
    "OSMajorVersion": 10,
    "OSMinorVersion": 0,
    "OSBuildNumber": 26200,
    "OSServicePackMajorNumber": 0,
    "OSServicePackMinorNumber": 0,
    "OSLocale": "en-US",
    "ComputerManufacturer": "Contoso",
    "ComputerModel": "Workbench 1",
    "BiosVersion": "1.0",
    "BiosName": "Contoso BIOS",
    "BiosReleaseDate": "2025-02-03T00:00:00Z",
    "ProcessorArchitecture": "AMD64",
    "SuiteMask": 256,
    "OldProductType": 1,
    "NewProductType": 48,
    "SystemMetrics": 0,
    "ClientVersionMajorNumber": 1507,
    "ClientVersionMinorNumber": 2601,
    "ClientVersionBuildNumber": 30012,
    "ClientVersionQfeNumber": 0,
    "OSDescription": "Windows 10 Pro",
    "OEM": "Contoso",
    "DeviceType": "Workbench 1",
    "FirmwareVersion": "unknown",
    "MobileOperator": "Not Present",
}


class Computer:
    """One client. Every call opens its own connection; `cookie` follows what the server hands out."""

    def __init__(
        self,
        base: str,
        group: str | None = None,
        version: Version = Version.V11,
        protocol: str = NATIVE_PROTOCOL,
        accept: str | None = None,
    ):
        self.base = base
        self.id = str(uuid.uuid4())
        self.dns_name = f"check-{self.id[:8]}.example.test"
        self.group = group
        self.version = version
        self.protocol = protocol
        self.accept = accept
        self.cookie: Cookie | None = None

    # Plumbing.

    def send(
        self,
        service: Service,
        operation: str,
        content: str,
        path: str | None = None,
        headers: list[tuple[str, str]] | None = None,
        body: bytes | None = None,
        version: Version | None = None,
        accept: str | None = None,
    ) -> Answer:
        """One POST; every part can be replaced by a check that wants it broken."""
        version = version or self.version
        body = envelope(service, operation, content, version) if body is None else body
        pairs = version.content_headers(service.action(operation)) + [("User-Agent", USER_AGENT)]
        accept = accept or self.accept
        if accept:
            pairs.append(("Accept-Encoding", accept))
        for name, value in headers or []:
            pairs = [pair for pair in pairs if pair[0].lower() != name.lower()] + [(name, value)]
        return exchange(self.base, "POST", path or service.path, pairs, body)

    def call(self, service: Service, operation: str, content: str, **more) -> Reply:
        return Reply(self.send(service, operation, content, **more))

    # Handshake.

    def get_config(self, protocol: str | None = None) -> etree._Element:
        """GetConfigResult."""
        reply = self.call(CLIENT, "GetConfig", text("protocolVersion", protocol or self.protocol))
        return child(reply.result(), "GetConfigResult")

    def authorization_content(self) -> str:
        return "".join(
            part
            for part in (
                text("clientId", self.id),
                text("targetGroupName", self.group),
                text("dnsName", self.dns_name),
            )
            if part
        )

    def get_authorization_cookie(self) -> tuple[str, str]:
        """PlugInId and CookieData."""
        reply = self.call(SIMPLE_AUTH, "GetAuthorizationCookie", self.authorization_content())
        result = child(reply.result(), "GetAuthorizationCookieResult")
        return child_text(result, "PlugInId"), child_text(result, "CookieData")

    def cookie_content(
        self,
        auth: tuple[str, str] | list[tuple[str, str]] | None,
        last_change: str,
        old: Cookie | None = None,
        protocol: str | None = None,
    ) -> str:
        auths = [] if auth is None else auth if isinstance(auth, list) else [auth]
        return "".join(
            part
            for part in (
                element(
                    "authCookies",
                    *(element("AuthorizationCookie", text("PlugInId", p), text("CookieData", d)) for p, d in auths),
                ),
                cookie_markup("oldCookie", old),
                text("lastChange", last_change),
                text("currentTime", now()),
                text("protocolVersion", self.protocol if protocol is None else protocol),
            )
            if part
        )

    def get_cookie(self, auth, last_change: str, old: Cookie | None = None, protocol: str | None = None) -> Cookie:
        reply = self.call(CLIENT, "GetCookie", self.cookie_content(auth, last_change, old, protocol))
        self.cookie = Cookie.read(child(reply.result(), "GetCookieResult"))
        return self.cookie

    def register_content(self, cookie: Cookie | None = None, **changed) -> str:
        info = COMPUTER_INFO | {"DnsName": self.dns_name} | changed
        return (cookie_markup("cookie", cookie or self.cookie) or "") + element(
            "computerInfo", *(text(name, value) for name, value in info.items())
        )

    def register(self, **changed) -> etree._Element:
        return self.call(CLIENT, "RegisterComputer", self.register_content(**changed)).result()

    def sign_on(self, old: Cookie | None = None) -> "Computer":
        """GetConfig, GetAuthorizationCookie, GetCookie, without RegisterComputer."""
        last_change = child_text(self.get_config(), "LastChange")
        self.get_cookie(self.get_authorization_cookie(), last_change, old)
        return self

    def handshake(self) -> "Computer":
        self.sign_on()
        self.register()
        return self

    # Scan.

    def start_category_scan(self, requested: list[tuple[int, str]]) -> tuple[list[str], list[str]]:
        """Preferred ids and ids in error."""
        content = element(
            "requestedCategories",
            *(
                element("CategoryRelationship", text("IndexOfAndGroup", group), text("CategoryId", category))
                for group, category in requested
            ),
        )
        result = self.call(CLIENT, "StartCategoryScan", content).result()
        return (
            [item.text for item in answers.items(result, "preferredCategoryIds")],
            [item.text for item in answers.items(result, "requestedCategoryIdsInError")],
        )

    def sync_content(
        self,
        installed: list[int] | None = None,
        other: list[int] | None = None,
        categories: list[str] | None = None,
        devices: list[str] | None = None,
        cached_drivers: list[int] | None = None,
        skip_software: bool = False,
        two_groups: bool | None = True,
        computer_hardware: list[str] | None = None,
        feature_key: str | None = None,
        cookie: Cookie | None = None,
        also_regular: bool | None = None,
    ) -> str:
        """The request in the native agent's order (observed-behaviour 3.1)."""
        parts = (
            text("ExpressQuery", False),
            array("InstalledNonLeafUpdateIDs", "int", installed),
            array("OtherCachedUpdateIDs", "int", other),
            None if devices is None else element("SystemSpec", *devices),
            array("CachedDriverIDs", "int", cached_drivers),
            text("SkipSoftwareSync", skip_software),
            None
            if categories is None
            else element("FilterCategoryIds", *(element("CategoryIdentifier", text("Id", one)) for one in categories)),
            text("NeedTwoGroupOutOfScopeUpdates", two_groups),
            text("AlsoPerformRegularSync", also_regular),
            element("ComputerSpec", array("HardwareIDs", "guid", computer_hardware)),
            text("FeatureScoreMatchingKey", feature_key),
        )
        return (cookie_markup("cookie", cookie or self.cookie) or "") + element("parameters", *parts)

    def sync(self, **parameters) -> Sync:
        """One SyncUpdates call; the new cookie replaces the old one unless a cookie was given."""
        reply = self.call(CLIENT, "SyncUpdates", self.sync_content(**parameters))
        sync = Sync(child(reply.result(), "SyncUpdatesResult"))
        if "cookie" not in parameters:
            self.cookie = sync.cookie
        return sync

    def scan(self, installed=None, most_rounds: int = 200, **parameters) -> "Scan":
        """The software loop of MS-WUSP 3.1.5.7: call until nothing new can come.

        `installed(update)` says what counts as installed; by default every category and detectoid whose
        rule is not plainly false.
        """
        installed = installed or present
        scan = Scan()
        for _ in range(most_rounds):
            sent = frozenset(scan.installed)
            page = self.sync(installed=sorted(scan.installed), other=sorted(scan.other), **parameters)
            scan.pages.append((sent, page))
            for update in page.new:
                scan.updates[update.id] = update
                chosen = scan.installed if not update.is_leaf and installed(update) else scan.other
                chosen.add(update.id)
            if not page.truncated and all(update.is_leaf for update in page.new):
                return scan
        raise AssertionError(f"the scan had not ended after {most_rounds} calls (agents give up at 200)")

    # After the scan.

    def extended_content(
        self,
        revisions: list[int] | None,
        types: list[str] | None,
        locales: list[str] | None = ("en-US", "en"),
        cookie: Cookie | None = None,
        geo: str | None = "USA",
    ) -> str:
        return "".join(
            part
            for part in (
                cookie_markup("cookie", cookie or self.cookie),
                array("revisionIDs", "int", revisions),
                array("infoTypes", "XmlUpdateFragmentType", types),
                array("locales", "string", locales),
                text("GeoId", geo),
            )
            if part
        )

    def extended(self, revisions, types=("Extended", "LocalizedProperties"), **more) -> etree._Element:
        """GetExtendedUpdateInfoResult."""
        reply = self.call(CLIENT, "GetExtendedUpdateInfo", self.extended_content(revisions, types, **more))
        return child(reply.result(), "GetExtendedUpdateInfoResult")

    def file_locations_content(self, digests: list[str] | None, cookie: Cookie | None = None) -> str:
        return (cookie_markup("cookie", cookie or self.cookie) or "") + (
            array("fileDigests", "base64Binary", digests) or ""
        )

    def file_locations(self, digests: list[str]) -> etree._Element:
        reply = self.call(CLIENT, "GetFileLocations", self.file_locations_content(digests))
        return child(reply.result(), "GetFileLocationsResult")

    def refresh_content(self, ids: list[tuple[str, int]] | None, cookie: Cookie | None = None) -> str:
        return (cookie_markup("cookie", cookie or self.cookie) or "") + (identities("globalIDs", ids) or "")

    def refresh_cache(self, ids: list[tuple[str, int]]) -> list[etree._Element]:
        result = self.call(CLIENT, "RefreshCache", self.refresh_content(ids)).result()
        return answers.items(result, "RefreshCacheResult")

    # Reports.

    def event(
        self,
        event_id: int,
        update: tuple[str, int] | None = None,
        hresult: int = 0,
        replacements: list[str] | None = None,
        misc: list[str] | None = None,
        instance: str | None = None,
    ) -> str:
        """One ReportingEvent in the native order (observed-behaviour 6)."""
        update_id, number = update or ("00000000-0000-0000-0000-000000000000", 0)
        version = (("Major", 10), ("Minor", 0), ("Build", 26200), ("Revision", 65792))
        packs = (("ServicePackMajor", 0), ("ServicePackMinor", 0))
        return element(
            "ReportingEvent",
            element(
                "BasicData",
                element("TargetID", text("Sid", self.id)),
                text("SequenceNumber", 0),
                text("TimeAtTarget", now()),
                text("EventInstanceID", instance or str(uuid.uuid4())),
                text("NamespaceID", 1),
                text("EventID", event_id),
                text("SourceID", 101),
                element("UpdateID", text("UpdateID", update_id), text("RevisionNumber", number)),
                text("Win32HResult", hresult),
                text("AppName", "conformance"),
            ),
            element(
                "ExtendedData",
                array("ReplacementStrings", "string", replacements),
                array("MiscData", "string", misc or ["G=1507.2601.30012.0"]),
                text("ComputerBrand", "Contoso"),
                text("ComputerModel", "Workbench 1"),
                text("BiosRevision", "1.0"),
                text("ProcessorArchitecture", "Amd64Compatible"),
                element("OSVersion", *(text(name, value) for name, value in version + packs)),
                text("OSLocaleID", 1033),
            ),
            "<PrivateData/>",
        )

    def report_content(self, events: list[str] | None, cookie: Cookie | None = None) -> str:
        return "".join(
            part
            for part in (
                cookie_markup("cookie", cookie or self.cookie),
                text("clientTime", now()),
                None if events is None else element("eventBatch", *events),
            )
            if part
        )

    def report(self, events: list[str]) -> str:
        """ReportEventBatchResult as text."""
        result = self.call(REPORTING, "ReportEventBatch", self.report_content(events)).result()
        return child_text(result, "ReportEventBatchResult")


def present(update: Update) -> bool:
    """Whether a check takes the update as installed: categories and detectoids, unless their rule is False."""
    if update.kind not in ("Category", "Detectoid"):
        return False
    rule = update.core.find("ApplicabilityRules/IsInstalled")
    return rule is None or rule.find("False") is None


class Scan:
    """What a client holds after the software loop. Each page stands beside the installed ids it was asked with."""

    def __init__(self):
        self.pages: list[tuple[frozenset[int], Sync]] = []
        self.updates: dict[int, Update] = {}
        self.installed: set[int] = set()
        self.other: set[int] = set()

    def by_id(self, update_id: str) -> Update | None:
        return next((update for update in self.updates.values() if update.update_id == update_id.lower()), None)
