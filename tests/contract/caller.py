"""Calls operations through zeep and holds every answer against the schema of the definition."""

from pathlib import Path

import zeep
from lxml import etree
from requests import Response, Session
from zeep.transports import Transport

from conformance.wire.soap import Version, parse

from . import wsdls


class Recorder(Transport):
    """Keeps the last answer as it came, before zeep reads it."""

    def __init__(self):
        super().__init__(session=Session(), operation_timeout=60)
        self.last: Response | None = None

    def post(self, address, message, headers):
        self.last = super().post(address, message, headers)
        return self.last


class Caller:
    """One service in one SOAP version, described by one definition."""

    def __init__(self, definition: etree._Element, name: str, base: str, version: Version, folder: Path):
        self.version = version
        self.schema = wsdls.schema(definition, folder)
        self.operations = wsdls.operations(definition)
        path = folder / "service.wsdl"
        path.write_bytes(etree.tostring(definition))
        self.recorder = Recorder()
        self.client = zeep.Client(str(path), transport=self.recorder, settings=zeep.Settings(xml_huge_tree=True))
        space = wsdls.SOAP11_BINDING if version is Version.V11 else wsdls.SOAP12_BINDING
        (binding,) = [
            node.get("name")
            for node in definition.findall("w:binding", wsdls.SPACES)
            if node.find(f"{{{space}}}binding") is not None
        ]
        service = wsdls.SERVICES[name]
        self.proxy = self.client.create_service(f"{{{service.namespace}}}{binding}", base + service.path)

    def __call__(self, operation: str, **parameters):
        """The result as zeep reads it. The bytes must be an envelope of the version asked for, with the
        right media type, and a payload that is valid against the schema."""
        result = self.proxy[operation](**parameters)
        self.check_last(operation)
        return result

    def check_last(self, operation: str) -> None:
        answer = self.recorder.last
        expected = "text/xml" if self.version is Version.V11 else "application/soap+xml"
        kind = answer.headers["Content-Type"]
        assert kind.split(";")[0] == expected, f"{operation}: Content-Type {kind}"
        root = parse(answer.content)
        assert etree.QName(root).namespace == self.version.value, f"{operation}: {root.tag}"
        (payload,) = root.find(f"{{{self.version.value}}}Body")
        self.check(payload)

    def check(self, payload: etree._Element) -> None:
        # A copy of its own, so that a namespace declared only outside would show.
        alone = etree.fromstring(etree.tostring(payload))
        if not self.schema.validate(alone):
            raise AssertionError(f"{etree.QName(payload).localname} breaks the schema: {self.schema.error_log}")
