"""SOAP 1.1 and 1.2 envelopes: writing requests, reading results and faults."""

from dataclasses import dataclass, field
from enum import Enum
from xml.sax.saxutils import escape

from lxml import etree

from .http import Answer

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


class Version(Enum):
    """The two envelope versions, with their media types."""

    V11 = SOAP11
    V12 = SOAP12

    def content_headers(self, action: str) -> list[tuple[str, str]]:
        """1.1 names the action in a header of its own, 1.2 in the media type (SOAP 1.2 part 2, 7.1.2)."""
        if self is Version.V11:
            return [("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", f'"{action}"')]
        return [("Content-Type", f'application/soap+xml; charset=utf-8; action="{action}"')]


@dataclass(frozen=True)
class Service:
    """One web service: where it lives, and its namespace, which is also the prefix of its actions."""

    name: str
    path: str
    namespace: str

    def action(self, operation: str) -> str:
        return f"{self.namespace}/{operation}"

    def tag(self, name: str) -> str:
        return f"{{{self.namespace}}}{name}"


SIMPLE_AUTH = Service(
    "simple-auth",
    "/SimpleAuthWebService/SimpleAuth.asmx",
    "http://www.microsoft.com/SoftwareDistribution/Server/SimpleAuthWebService",
)
CLIENT = Service(
    "client",
    "/ClientWebService/client.asmx",
    "http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService",
)
REPORTING = Service(
    "client-reporting",
    "/ReportingWebService/ReportingWebService.asmx",
    "http://www.microsoft.com/SoftwareDistribution",
)

DSS_AUTH = Service(
    "dss-auth",
    "/DssAuthWebService/DssAuthWebService.asmx",
    "http://www.microsoft.com/SoftwareDistribution/Server/DssAuthWebService",
)
SERVER_SYNC = Service(
    "server-sync",
    "/ServerSyncWebService/ServerSyncWebService.asmx",
    "http://www.microsoft.com/SoftwareDistribution",
)
# The half of Reporting that is for servers; same place, a definition of its own.
SERVER_REPORTING = Service(
    "server-reporting",
    "/ReportingWebService/ReportingWebService.asmx",
    "http://www.microsoft.com/SoftwareDistribution",
)


def element(name: str, *content: str | None) -> str:
    """One element of markup; parts that are None are left out."""
    inner = "".join(part for part in content if part is not None)
    return f"<{name}>{inner}</{name}>" if inner else f"<{name}/>"


def text(name: str, value) -> str | None:
    """An element with escaped text, or nothing for None; booleans as XML Schema writes them."""
    if value is None:
        return None
    if isinstance(value, bool):
        value = "true" if value else "false"
    return f"<{name}>{escape(str(value))}</{name}>"


def array(name: str, item: str, values) -> str | None:
    """A plain literal array, or nothing for None."""
    return None if values is None else element(name, *(text(item, value) for value in values))


def envelope(service: Service, operation: str, content: str, version: Version = Version.V11) -> bytes:
    """A request as the native agent writes one: prefix `s`, no declaration (observed-behaviour 1.2)."""
    return (
        f'<s:Envelope xmlns:s="{version.value}"><s:Body>'
        f'<{operation} xmlns="{service.namespace}">{content}</{operation}>'
        "</s:Body></s:Envelope>"
    ).encode()


PARSER = dict(resolve_entities=False, no_network=True, huge_tree=True, load_dtd=False)


def parse(data: bytes) -> etree._Element:
    """Bytes to a tree, without entities or network."""
    return etree.fromstring(data, etree.XMLParser(**PARSER))


def local(node: etree._Element) -> str:
    return etree.QName(node).localname


@dataclass(frozen=True)
class Fault:
    """A fault of either version, reduced to what MS-WUSP 2.2.2.4 speaks of."""

    version: Version
    code: str
    reason: str
    actor: str | None
    detail: list[tuple[str, str]] = field(default_factory=list)
    detail_node: etree._Element | None = None

    def __getitem__(self, name: str) -> str | None:
        return next((value for key, value in self.detail if key == name), None)

    @property
    def error_code(self) -> str | None:
        return self["ErrorCode"]

    @property
    def method(self) -> str | None:
        return self["Method"]

    def __str__(self) -> str:
        return f"{self.error_code}: {self['Message']!r} in {self.method} ({self.code}, ID {self['ID']})"


class SoapFault(AssertionError):
    """Raised where a result was expected; shows what the server said."""

    def __init__(self, fault: Fault):
        super().__init__(str(fault))
        self.fault = fault


class Reply:
    """An HTTP answer read as SOAP."""

    def __init__(self, answer: Answer):
        self.http = answer
        self.root = parse(answer.body)
        space = etree.QName(self.root).namespace
        if local(self.root) != "Envelope" or space not in (SOAP11, SOAP12):
            raise AssertionError(f"not a SOAP envelope: {self.root.tag} (HTTP {answer.status})")
        self.version = Version(space)
        bodies = self.root.findall(f"{{{space}}}Body")
        if len(bodies) != 1 or len(bodies[0]) != 1:
            raise AssertionError("an envelope holds one Body with one child")
        self.body = bodies[0]
        self.payload = self.body[0]

    @property
    def fault(self) -> Fault | None:
        space = self.version.value
        if self.payload.tag != f"{{{space}}}Fault":
            return None
        if self.version is Version.V11:
            code, reason = self.payload.findtext("faultcode"), self.payload.findtext("faultstring")
            actor, detail = self.payload.findtext("faultactor"), self.payload.find("detail")
        else:
            code = self.payload.findtext(f"{{{space}}}Code/{{{space}}}Value")
            reason = self.payload.findtext(f"{{{space}}}Reason/{{{space}}}Text")
            actor = self.payload.findtext(f"{{{space}}}Role")
            detail = self.payload.find(f"{{{space}}}Detail")
        pairs = [] if detail is None else [(node.tag, node.text or "") for node in detail]
        return Fault(self.version, code or "", reason or "", actor, pairs, detail)

    def result(self) -> etree._Element:
        """The response element; raises SoapFault when the server answered with one."""
        fault = self.fault
        if fault is not None:
            raise SoapFault(fault)
        if self.http.status != 200:
            raise AssertionError(f"a result came with HTTP {self.http.status}")
        return self.payload
