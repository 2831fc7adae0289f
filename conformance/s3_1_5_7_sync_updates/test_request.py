"""MS-WUSP 3.1.5.7: what a SyncUpdates request must and may hold, and the order of an answer."""

import pytest

from conformance.judging import assert_fault
from conformance.wire.answers import DEPLOYMENT_ORDER, SYNC_ORDER, children
from conformance.wire.client import Computer, cookie_markup, device
from conformance.wire.soap import CLIENT


@pytest.mark.spec("3.1.5.7")
def test_parameters_must_be_specified(computer):
    fault = assert_fault(
        computer.send(CLIENT, "SyncUpdates", cookie_markup("cookie", computer.cookie)), "InvalidParameters"
    )
    assert "parameters" in (fault["Message"] or "")


@pytest.mark.spec("3.1.5.7")
def test_a_system_spec_belongs_to_the_driver_pass(computer):
    content = computer.sync_content(devices=[device(["PCI\\NOBODY"])], skip_software=False)
    fault = assert_fault(computer.send(CLIENT, "SyncUpdates", content), "InvalidParameters")
    assert "SystemSpec" in (fault["Message"] or "")


@pytest.mark.spec("3.1.5.7")
def test_the_answer_keeps_the_order_of_the_definition(scanned):
    computer, scan = scanned
    for parameters in ({}, {"other": sorted(scan.updates)}, {"installed": sorted(scan.installed)}):
        names = children(computer.sync(**parameters).node)
        assert names == [name for name in SYNC_ORDER if name in names]
        assert {"Truncated", "NewCookie"} <= set(names)


@pytest.mark.spec("2.2.2.2.4")
def test_an_update_info_has_its_four_children(scanned):
    _, scan = scanned
    assert scan.updates, "the subject delivers nothing at all"
    for update in scan.updates.values():
        assert children(update.node) == ["ID", "Deployment", "IsLeaf", "Xml"]
        names = children(update.deployment)
        assert names == [name for name in DEPLOYMENT_ORDER if name in names], names


@pytest.mark.observed("3.2")
def test_an_ordinary_deployment_has_exactly_seven_children(scanned):
    """Agents fail with 0x80070057 when Deployment is missing."""
    _, scan = scanned
    for update in scan.updates.values():
        if update.deployed("Deadline") is None and update.deployed("HardwareIds") is None:
            assert children(update.deployment) == [
                "ID",
                "Action",
                "IsAssigned",
                "LastChangeTime",
                "AutoSelect",
                "AutoDownload",
                "SupersedenceBehavior",
            ]
        assert update.deployed("IsAssigned") == "true"
        assert [update.deployed(name) for name in ("AutoSelect", "AutoDownload", "SupersedenceBehavior")] == ["0"] * 3


@pytest.mark.observed("3.2")
def test_the_change_time_is_a_bare_date(scanned):
    _, scan = scanned
    for update in scan.updates.values():
        stamp = update.deployed("LastChangeTime")
        assert len(stamp) == 10 and stamp[4] == stamp[7] == "-", stamp


@pytest.mark.spec("2.2.2.2.4")
@pytest.mark.parametrize("protocol, fields", [("1.7", 0), ("1.8", 3), ("2.90", 3)])
def test_older_clients_are_not_sent_what_they_do_not_know(subject, protocol, fields):
    """AutoSelect, AutoDownload, SupersedenceBehavior from 1.8 on."""
    computer = Computer(subject, protocol=protocol).handshake()
    page = computer.sync()
    assert page.new
    for update in page.new:
        sent = {"AutoSelect", "AutoDownload", "SupersedenceBehavior", "FlagBitmask"} & set(children(update.deployment))
        assert len(sent) == fields


@pytest.mark.spec("2.2.2.2.4")
@pytest.mark.parametrize("protocol, sent", [("1.6", False), ("1.7", True), ("2.90", True)])
def test_driver_sync_not_needed_is_for_clients_from_1_7_on(subject, protocol, sent):
    computer = Computer(subject, protocol=protocol).handshake()
    two_groups = True if sent else None
    page = computer.sync(skip_software=True, devices=[], two_groups=two_groups)
    assert (page.driver_sync_not_needed is not None) == sent


@pytest.mark.spec("3.1.5.7")
def test_repeated_ids_do_no_harm(scanned):
    computer, scan = scanned
    twice = sorted(scan.installed) * 2
    page = computer.sync(installed=twice, other=sorted(scan.other) * 2)
    assert page.new == [] and page.out_of_scope == []


@pytest.mark.differs("they refuse the 401st installed id with InvalidParameters (observed-behaviour 3.3 rule 6)")
def test_there_is_no_cap_of_400_installed_ids(scanned):
    computer, scan = scanned
    many = sorted(scan.installed) + list(range(1_900_000_000, 1_900_002_000))
    page = computer.sync(installed=many, other=sorted(scan.other))
    assert len(page.out_of_scope) == 2000


@pytest.mark.observed("3.3")
def test_thousands_of_cached_ids_are_taken(scanned):
    computer, scan = scanned
    many = sorted(scan.other) + list(range(1_900_000_000, 1_900_004_900))
    page = computer.sync(installed=sorted(scan.installed), other=many)
    assert set(page.out_of_scope) == set(many) - scan.other
