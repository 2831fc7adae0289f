"""Documents made from recorded fragments: the derivation of MS-WUSP 3.1.1.1 walked backwards, so that a server can
be given updates of which only the fragments were recorded. Deriving them again must give the recorded bytes."""

from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from conformance.wire.answers import fragment
from tests.support.documents import HANDLERS, MSUS

PREFIXES = {"b.": "bar", "m.": "mar", "d.": "drv"}
LOGIC = {"And", "Or", "Not", "True", "False"}
SPACES = {
    "upd": MSUS + "Update",
    "bar": MSUS + "BaseApplicabilityRules",
    "lar": MSUS + "LogicalApplicabilityRules",
    "mar": MSUS + "MsiApplicabilityRules",
    "drv": HANDLERS + "WindowsDriver",
    "cmd": HANDLERS + "CommandLineInstallation",
    "cat": HANDLERS + "Category",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}


def write(node: etree._Element, space: str | None = None, name: str | None = None, more: str = "") -> str:
    """One element with its names qualified again. `space` is the prefix of a handler's own elements."""
    tag = name or node.tag
    prefix = next((prefix for start, prefix in PREFIXES.items() if tag.startswith(start)), None)
    if prefix:
        tag = tag[2:]
    elif tag in LOGIC:
        prefix = "lar"
    else:
        prefix = space or "upd"
    inner_space = space
    attributes = ""
    for key, value in node.attrib.items():
        if tag == "HandlerSpecificData" and key == "type":
            key, inner_space = "xsi:type", value.split(":")[0]
        attributes += f" {key}={quoteattr(value)}"
    attributes += more
    inner = escape(node.text or "") + "".join(write(child, inner_space) + escape(child.tail or "") for child in node)
    return f"<{prefix}:{tag}{attributes}>{inner}</{prefix}:{tag}>" if inner else f"<{prefix}:{tag}{attributes} />"


def document(
    identity: tuple[str, int], core: str | None = None, extended: str | None = None, localized: str | None = None
) -> bytes:
    """A full document from the fragments that are known. Without Core it is software without relationships."""
    parts = {node.tag: node for node in fragment(core or "")}
    rest = {node.tag: node for node in fragment(extended or "")}
    head = f'<upd:UpdateIdentity UpdateID="{identity[0]}" RevisionNumber="{identity[1]}" />'
    if "UpdateIdentity" in parts:
        head = write(parts["UpdateIdentity"])
    attributes = "".join(
        f" {key}={quoteattr(value)}"
        for node in (parts.get("Properties"), rest.get("ExtendedProperties"))
        if node is not None
        for key, value in node.attrib.items()
    )
    if "Properties" not in parts:
        attributes = ' UpdateType="Software"' + attributes
    if "ExtendedProperties" not in rest:
        attributes += ' DefaultPropertiesLanguage="en"'
    children = "".join(write(child) for child in rest.get("ExtendedProperties", ()))
    texts = (
        write(fragment(localized)[0])
        if localized
        else (
            "<upd:LocalizedProperties><upd:Language>en</upd:Language><upd:Title>A stand-in</upd:Title></upd:LocalizedProperties>"
        )
    )
    spaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in SPACES.items())
    body = "".join(write(parts[name]) for name in ("Relationships", "ApplicabilityRules") if name in parts)
    body += "".join(write(rest[name]) for name in ("Files", "HandlerSpecificData") if name in rest)
    return (
        f"<upd:Update{spaces}>{head}<upd:Properties{attributes}>{children}</upd:Properties>"
        f"<upd:LocalizedPropertiesCollection>{texts}</upd:LocalizedPropertiesCollection>{body}</upd:Update>"
    ).encode()
