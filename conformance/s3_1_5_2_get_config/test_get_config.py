"""MS-WUSP 3.1.5.2 and 2.2.2.2.1: GetConfig."""

import pytest

from conformance.judging import assert_refused
from conformance.wire.answers import child, child_text, children, items
from conformance.wire.soap import CLIENT, Reply, text


@pytest.mark.spec("2.2.2.2.1")
def test_there_is_exactly_one_plug_in(stranger):
    (plug_in,) = items(stranger.get_config(), "AuthInfo")
    assert child_text(plug_in, "PlugInID") == "SimpleTargeting"
    # A relative URL (observed-behaviour 2), to be put behind http://server:port/.
    assert child_text(plug_in, "ServiceUrl") == "SimpleAuthWebService/SimpleAuth.asmx"


@pytest.mark.observed("2")
def test_the_plug_in_has_an_empty_parameter(stranger):
    (plug_in,) = items(stranger.get_config(), "AuthInfo")
    assert children(plug_in) == ["PlugInID", "ServiceUrl", "Parameter"]
    assert child_text(plug_in, "Parameter") == ""


@pytest.mark.observed("2")
def test_the_children_come_in_order_without_allowed_event_ids(stranger):
    assert children(stranger.get_config()) == ["LastChange", "IsRegistrationRequired", "AuthInfo", "Properties"]


@pytest.mark.observed("2")
def test_the_properties_and_their_order(stranger):
    found = [
        (child_text(entry, "Name"), child_text(entry, "Value")) for entry in items(stranger.get_config(), "Properties")
    ]
    names = [name for name, _ in found]
    assert names == [
        "MaxExtendedUpdatesPerRequest",
        "PackageServerShare",
        "ProtocolVersion",
        "IsInventoryRequired",
        "ClientReportingLevel",
    ]
    values = dict(found)
    assert values["MaxExtendedUpdatesPerRequest"] == "50"
    assert values["PackageServerShare"].startswith("\\\\") and values["PackageServerShare"].endswith(
        "\\UpdateServicesPackages"
    )
    assert values["ProtocolVersion"] == "3.2"


@pytest.mark.spec("2.2.2.2.1")
def test_the_values_the_specification_fixes(stranger):
    values = {
        child_text(entry, "Name"): child_text(entry, "Value") for entry in items(stranger.get_config(), "Properties")
    }
    assert int(values["MaxExtendedUpdatesPerRequest"]) > 0
    assert values["IsInventoryRequired"] == "0"
    assert values["ClientReportingLevel"] == "2"


@pytest.mark.observed("2")
def test_every_client_version_gets_the_same_answer(stranger):
    answers = {
        stranger.send(CLIENT, "GetConfig", text("protocolVersion", version)).body for version in ("1.0", "1.8", "2.90")
    }
    assert len(answers) == 1


@pytest.mark.spec("3.1.5.2")
def test_the_time_of_change_stays_while_nothing_changes(stranger):
    times = {child_text(stranger.get_config(), "LastChange") for _ in range(3)}
    assert len(times) == 1


@pytest.mark.spec("3.1.5.2")
@pytest.mark.parametrize("version", [None, "", "one", "1", "1.2.3", "-1.0"])
def test_a_version_of_another_form_may_be_refused_and_nothing_worse(stranger, version):
    answer = stranger.send(CLIENT, "GetConfig", text("protocolVersion", version) or "")
    reply = Reply(answer)
    if reply.fault is None:
        assert child(reply.result(), "GetConfigResult") is not None
    else:
        assert reply.fault.error_code == "InvalidParameters"
        assert_refused(answer)
