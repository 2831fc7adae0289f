"""MS-WSUSSS 3.1.4.13 to 3.1.4.17: rollup."""

import uuid

import pytest

from conformance.judging import fault_of
from conformance.wire.answers import child, child_text, children, items
from conformance.wire.downstream import NEVER, Downstream
from conformance.wire.soap import SERVER_REPORTING, element, text

LIMITS = {
    "RollupDownstreamServersMaxBatchSize": 5_000,
    "RollupComputersMaxBatchSize": 1_500,
    "GetOutOfSyncComputersMaxBatchSize": 20_000,
    "RollupComputerStatusMaxBatchSize": 500,
}
NOW = text("clientTime", "2026-10-04T12:00:00Z")


@pytest.fixture()
def told(child) -> Downstream:
    """A server that authorized itself and told of itself."""
    assert len(child.rollup("RollupDownstreamServers", child.server_content())) == 0
    return child


def computer() -> str:
    return f"pc-{uuid.uuid4()}"


def out_of_sync(server: Downstream, numbers: dict[str, int]) -> list[str]:
    rows = (
        element("ComputerLastRollupNumber", text("ComputerId", name), text("RollupNumber", number))
        for name, number in numbers.items()
    )
    content = text("parentServerId", server.id) + element("lastRollupNumbers", *rows)
    response = server.rollup("GetOutOfSyncComputers", content)
    return [one.text for one in items(response, "GetOutOfSyncComputersResult")]


def report(server: Downstream, name: str, number: int, full: bool = True) -> str:
    one = element(
        "ComputerStatusRollupInfo",
        text("InstanceId", str(uuid.uuid4())),
        text("ComputerId", name),
        text("EffectiveLastDetectionTime", "2026-10-04T12:00:00Z"),
        text("RollupNumber", number),
        text("IsFullRollup", full),
        element("UpdateStatus"),
    )
    content = NOW + text("parentServerId", server.id) + element("computers", one)
    return child_text(server.rollup("RollupComputerStatus", content), "RollupComputerStatusResult")


@pytest.mark.wsusss("3.1.4.13")
def test_the_configuration_needs_no_cookie_and_has_the_limits_of_real_servers(stranger):
    result = child(stranger.rollup("GetRollupConfiguration", ""), "GetRollupConfigurationResult")
    assert children(result) == ["DoDetailedRollup", "RollupResetGuid", "ServerId", *LIMITS]
    assert {name: int(child_text(result, name)) for name in LIMITS} == LIMITS
    again = child(stranger.rollup("GetRollupConfiguration", ""), "GetRollupConfigurationResult")
    for name in ("RollupResetGuid", "ServerId"):
        assert uuid.UUID(child_text(result, name)) and child_text(result, name) == child_text(again, name)


@pytest.mark.wsusss("3.1.4.14")
def test_a_server_below_one_nobody_knows_is_refused(child):
    content = child.server_content(parent=str(uuid.uuid4()))
    fault = fault_of(child.send(SERVER_REPORTING, "RollupDownstreamServers", content))
    assert fault.error_code == "InternalServerError"


@pytest.mark.wsusss("3.1.4.15")
def test_details_are_asked_for_where_a_computer_is_new_or_elsewhere_than_before(told, subject):
    name = computer()

    def changes(server: Downstream) -> list[tuple[str, str]]:
        response = server.rollup("RollupComputers", server.computers_content([name]))
        return [(one.get("ComputerId"), one.get("Change")) for one in items(response, "RollupComputersResult")]

    assert changes(told) == [(name, "NewParent")]
    assert changes(told) == []
    other = Downstream(subject).authorized()
    other.rollup("RollupDownstreamServers", other.server_content())
    assert changes(other) == [(name, "NewParent")]


@pytest.mark.wsusss("3.1.4.15")
def test_computers_of_a_server_nobody_knows_are_refused(stranger):
    fault = fault_of(stranger.send(SERVER_REPORTING, "RollupComputers", stranger.computers_content([computer()])))
    assert fault.error_code == "InternalServerError"


@pytest.mark.wsusss("3.1.4.16")
def test_a_computer_is_out_of_sync_until_the_status_with_its_number_arrived(told):
    name = computer()
    told.rollup("RollupComputers", told.computers_content([name]))
    assert out_of_sync(told, {name: 1}) == [name]
    assert report(told, name, 1) == "true"
    assert out_of_sync(told, {name: 1}) == []
    assert report(told, name, 2, full=False) == "true"
    assert out_of_sync(told, {name: 2}) == []
    assert out_of_sync(told, {name: 1}) == [name], "a number that is behind means a lost update"


@pytest.mark.wsusss("3.1.4.15")
@pytest.mark.parametrize("list_name", ["downstreamServers", "computers", "lastRollupNumbers", "computers of status"])
def test_the_lists_must_be_there(told, list_name):
    operation, content = {
        "downstreamServers": ("RollupDownstreamServers", NOW),
        "computers": ("RollupComputers", NOW),
        "lastRollupNumbers": ("GetOutOfSyncComputers", text("parentServerId", told.id)),
        "computers of status": ("RollupComputerStatus", NOW + text("parentServerId", told.id)),
    }[list_name]
    fault = fault_of(told.send(SERVER_REPORTING, operation, content))
    assert fault.error_code == "InvalidParameters" and list_name.split(" ")[0] in fault["Message"]


@pytest.mark.wsusss("3.1.4.15")
def test_more_computers_than_the_configuration_says_are_refused(told):
    content = told.computers_content([f"pc-{number}" for number in range(LIMITS["RollupComputersMaxBatchSize"] + 1)])
    fault = fault_of(told.send(SERVER_REPORTING, "RollupComputers", content))
    assert fault.error_code == "InvalidParameters" and "computers" in fault["Message"]


@pytest.mark.wsusss("3.1.4.14")
def test_a_server_that_never_synchronized_says_1753(told):
    assert NEVER in told.server_content()
    assert len(told.rollup("RollupDownstreamServers", told.server_content())) == 0
