"""The published definitions can be used as they are repaired here: schemas compile, bindings are complete."""

import pytest
from lxml import etree

from conformance.wire.client import Computer
from conformance.wire.soap import CLIENT, REPORTING, SIMPLE_AUTH, Version, envelope

from . import wsdls
from .caller import Caller


@pytest.fixture(params=list(wsdls.SERVICES))
def definition(request):
    found = wsdls.published(request.param)
    if found is None:
        pytest.skip("the published definitions (SLUICEGATE_SHARED/wsdl) are not here")
    return request.param, found


def test_every_operation_can_be_called_in_both_soap_versions(definition):
    name, root = definition
    for space in (wsdls.SOAP11_BINDING, wsdls.SOAP12_BINDING):
        bound = {
            operation.get("name")
            for binding in root.findall("w:binding", wsdls.SPACES)
            if binding.find(f"{{{space}}}binding") is not None
            for operation in binding.findall("w:operation", wsdls.SPACES)
        }
        assert bound == wsdls.operations(root), f"{name} in {space}"


@pytest.mark.parametrize("version", list(Version), ids=["soap11", "soap12"])
def test_a_caller_can_be_made_without_a_server(definition, version, tmp_path):
    name, root = definition
    caller = Caller(root, name, "http://127.0.0.1:9", version, tmp_path)
    assert caller.operations


def test_a_request_written_by_the_wire_client_is_valid_against_the_published_schema(tmp_path):
    """Guards the hand-written client: what it sends is what the definitions describe, save the elements the
    native agent adds (observed-behaviour 3.1, 4)."""
    computer = Computer("http://127.0.0.1:9")
    contents = {
        (SIMPLE_AUTH, "GetAuthorizationCookie"): computer.authorization_content(),
        (CLIENT, "GetCookie"): computer.cookie_content(("SimpleTargeting", "AAAA"), "2026-10-04T13:17:07.59Z"),
        (CLIENT, "RegisterComputer"): computer.register_content(),
        (CLIENT, "SyncUpdates"): computer.sync_content(installed=[1], other=[2], categories=[computer.id]),
        (CLIENT, "GetExtendedUpdateInfo"): computer.extended_content([1], ["Extended"]),
        (CLIENT, "GetFileLocations"): computer.file_locations_content(["AAAA"]),
        (CLIENT, "RefreshCache"): computer.refresh_content([(computer.id, 1)]),
        (REPORTING, "ReportEventBatch"): computer.report_content([computer.event(147)]),
    }
    for (service, operation), content in contents.items():
        root = wsdls.published(service.name)
        if root is None:
            pytest.skip("the published definitions (SLUICEGATE_SHARED/wsdl) are not here")
        schema = wsdls.schema(root, tmp_path)
        payload = etree.fromstring(envelope(service, operation, content))[0][0]
        assert schema.validate(etree.fromstring(etree.tostring(payload))), f"{operation}: {schema.error_log}"


def test_the_schema_check_refuses_what_the_schema_does_not_have(tmp_path):
    """The validator must be able to fail, or it proves nothing."""
    root = wsdls.published("client")
    if root is None:
        pytest.skip("the published definitions (SLUICEGATE_SHARED/wsdl) are not here")
    schema = wsdls.schema(root, tmp_path)
    space = CLIENT.namespace
    good = f'<GetCookieResponse xmlns="{space}"><GetCookieResult><Expiration>2026-10-04T15:03:36Z</Expiration></GetCookieResult></GetCookieResponse>'
    assert schema.validate(etree.fromstring(good)), schema.error_log
    assert not schema.validate(etree.fromstring(good.replace("2026-10-04T", "2026-10-04 ")))
    assert not schema.validate(etree.fromstring(good.replace("Expiration", "Expires")))
