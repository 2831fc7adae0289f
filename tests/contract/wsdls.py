"""Interface definitions as the checks use them: published ones, repaired in memory, and our own `?wsdl`."""

from copy import deepcopy
from pathlib import Path

from lxml import etree

from conformance.wire.http import exchange
from conformance.wire.soap import CLIENT, DSS_AUTH, REPORTING, SERVER_REPORTING, SERVER_SYNC, SIMPLE_AUTH, parse
from tests.support.places import shared

WSDL = "http://schemas.xmlsoap.org/wsdl/"
SOAP11_BINDING = "http://schemas.xmlsoap.org/wsdl/soap/"
SOAP12_BINDING = "http://schemas.xmlsoap.org/wsdl/soap12/"
XSD = "http://www.w3.org/2001/XMLSchema"
SPACES = {"w": WSDL, "s11": SOAP11_BINDING, "s12": SOAP12_BINDING, "s": XSD}

SERVICES = {
    service.name: service for service in (SIMPLE_AUTH, CLIENT, REPORTING, DSS_AUTH, SERVER_SYNC, SERVER_REPORTING)
}


def published(name: str) -> etree._Element | None:
    """The published definition, repaired; None when the reference material is absent."""
    path = shared("wsdl", f"{name}.wsdl")
    if not path.exists():
        return None
    root = parse(path.read_bytes())
    repair(root)
    add_soap12(root)
    return root


def own(base: str, name: str) -> etree._Element:
    """The definition the server gives of itself."""
    answer = exchange(base, "GET", SERVICES[name].path + "?wsdl")
    assert answer.status == 200, f"GET {SERVICES[name].path}?wsdl: HTTP {answer.status}"
    assert (answer.header("Content-Type") or "").startswith("text/xml"), answer.header("Content-Type")
    root = parse(answer.body)
    add_soap12(root)
    return root


def repair(root: etree._Element) -> None:
    """One published name has a space in front (` ClientBehaviors`), which no schema processor takes."""
    for node in root.iterfind(".//s:element[@name]", SPACES):
        node.set("name", node.get("name").strip())


def add_soap12(root: etree._Element) -> None:
    """Gives every SOAP 1.1 operation its SOAP 1.2 twin where the definition leaves it out (the
    published Client service has none for GetExtendedUpdateInfo2), and a port to call it on."""
    for binding in root.findall("w:binding", SPACES):
        if binding.find("s11:binding", SPACES) is None:
            continue
        twin = next(
            (
                other
                for other in root.findall("w:binding", SPACES)
                if other.get("type") == binding.get("type") and other.find("s12:binding", SPACES) is not None
            ),
            None,
        )
        if twin is None:
            twin = in_soap12(binding)
            twin.set("name", binding.get("name") + "12")
            binding.addnext(twin)
            for port in root.findall("w:service/w:port", SPACES):
                if port.get("binding", "").split(":")[-1] == binding.get("name"):
                    other = in_soap12(port)
                    other.set("name", port.get("name") + "12")
                    other.set("binding", port.get("binding") + "12")
                    port.addnext(other)
            continue
        known = {operation.get("name") for operation in twin.findall("w:operation", SPACES)}
        for operation in binding.findall("w:operation", SPACES):
            if operation.get("name") not in known:
                twin.append(in_soap12(operation))


def in_soap12(node: etree._Element) -> etree._Element:
    """A copy of a part of a definition with its SOAP 1.1 extensions turned into those of SOAP 1.2."""
    copy = etree.fromstring(etree.tostring(deepcopy(node)))
    for inner in list(copy.iter(f"{{{SOAP11_BINDING}}}*")):
        inner.tag = inner.tag.replace(SOAP11_BINDING, SOAP12_BINDING)
    return copy


def operations(root: etree._Element) -> set[str]:
    return {node.get("name") for node in root.iterfind("w:portType/w:operation", SPACES)}


def schema(root: etree._Element, folder: Path) -> etree.XMLSchema:
    """The schema inside a definition as one strict validator. The schemas of one definition import each
    other by namespace alone; here they get files and locations."""
    schemas = root.findall("w:types/s:schema", SPACES)
    names = {node.get("targetNamespace"): folder / f"part{number}.xsd" for number, node in enumerate(schemas)}
    for node in schemas:
        copy = etree.fromstring(etree.tostring(node))
        for inner in copy.findall("s:import", SPACES):
            inner.set("schemaLocation", names[inner.get("namespace")].name)
        names[node.get("targetNamespace")].write_bytes(etree.tostring(copy))
    whole = etree.Element(f"{{{XSD}}}schema", nsmap={"s": XSD})
    for namespace, path in names.items():
        etree.SubElement(whole, f"{{{XSD}}}import", namespace=namespace, schemaLocation=path.name)
    path = folder / "whole.xsd"
    path.write_bytes(etree.tostring(whole))
    return etree.XMLSchema(etree.parse(str(path)))
