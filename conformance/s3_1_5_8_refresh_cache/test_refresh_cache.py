"""MS-WUSP 3.1.5.8: RefreshCache."""

import uuid

import pytest

from conformance.judging import assert_fault
from conformance.wire.answers import child, child_text, children
from conformance.wire.client import cookie_markup
from conformance.wire.soap import CLIENT


@pytest.mark.spec("3.1.5.8")
def test_ids_must_be_present(computer):
    answer = computer.send(CLIENT, "RefreshCache", cookie_markup("cookie", computer.cookie))
    assert_fault(answer, "InvalidParameters")


@pytest.mark.spec("3.1.5.8")
def test_unknown_updates_have_no_element(computer):
    assert computer.refresh_cache([(str(uuid.uuid4()), 1)]) == []


@pytest.mark.spec("3.1.5.8")
def test_an_empty_list_is_empty_or_counts_as_missing(computer):
    """The text does not say which; no server was seen with one."""
    reply = computer.call(CLIENT, "RefreshCache", computer.refresh_content([]))
    if reply.fault is None:
        assert len(reply.result()) == 0 or len(reply.result()[0]) == 0
    else:
        assert reply.fault.error_code == "InvalidParameters"


@pytest.mark.spec("3.1.5.8")
def test_every_deployed_update_is_named_as_in_the_scan(scanned):
    """Ids, IsLeaf and deployment are those SyncUpdates gives. Members of bundles are left out
    (observed-behaviour 4); the rest of what was asked for must be there."""
    computer, scan = scanned
    wanted = sorted((update.update_id, update.revision) for update in scan.updates.values())[:200]
    found = computer.refresh_cache(wanted)
    by_identity = {}
    for entry in found:
        assert children(entry) == ["RevisionID", "GlobalID", "IsLeaf", "Deployment"]
        identity = child(entry, "GlobalID")
        by_identity[child_text(identity, "UpdateID").lower(), int(child_text(identity, "RevisionNumber"))] = entry
    expected = {
        (update.update_id, update.revision): update
        for update in scan.updates.values()
        if (update.update_id, update.revision) in set(wanted) and update.action != "Bundle"
    }
    assert set(by_identity) == set(expected)
    for identity, update in expected.items():
        entry = by_identity[identity]
        assert int(child_text(entry, "RevisionID")) == update.id
        assert child_text(entry, "IsLeaf") == ("true" if update.is_leaf else "false")
        deployment = child(entry, "Deployment")
        assert child_text(deployment, "Action") == update.action
        assert child_text(deployment, "ID") == update.deployed("ID")


@pytest.mark.spec("3.1.5.8")
def test_an_older_revision_than_the_one_there_is_not_that_revision(scanned):
    computer, scan = scanned
    update = next(update for update in scan.updates.values() if update.action != "Bundle")
    for entry in computer.refresh_cache([(update.update_id, update.revision + 7)]):
        assert int(child_text(child(entry, "GlobalID"), "RevisionNumber")) == update.revision + 7


@pytest.mark.spec("3.1.5.8")
def test_the_refreshed_ids_serve_the_next_scan(scanned, subject):
    """What a client does after ServerChanged: names everything anew and goes on."""
    computer, scan = scanned
    wanted = [(update.update_id, update.revision) for update in scan.updates.values() if update.id in scan.installed]
    found = {int(child_text(entry, "RevisionID")) for entry in computer.refresh_cache(wanted[:200])}
    assert found <= scan.installed
    page = computer.sync(installed=sorted(found))
    assert found.isdisjoint({update.id for update in page.new})
