"""MS-WSUSSS 3.1.4.10: GetDeployments."""

import uuid

import pytest

from conformance.hooks import eventually
from conformance.judging import fault_of
from conformance.wire.answers import child_text, children, items
from conformance.wire.soap import SERVER_SYNC, text
from tests.support.documents import software

ORDER = ["Anchor", "Groups", "Deployments", "DeadDeployments", "HiddenUpdates", "AcceptedEulas"]
FIELDS = [
    "UpdateId",
    "RevisionNumber",
    "Action",
    "AdminName",
    "Deadline",
    "IsAssigned",
    "GoLiveTime",
    "DeploymentGuid",
    "TargetGroupId",
    "DownloadPriority",
]
# The same on every server (MS-WSUSSS 3.1.4.10, example).
ALL_COMPUTERS = "a0a08746-4dbe-4a37-9adf-9e7652c0b421"
UNASSIGNED = "b73ca6ed-5727-47f3-84de-015e03f6a88a"


@pytest.fixture()
def synced(child) -> str:
    return child.revisions().anchor


def about(result, update: str) -> list[dict[str, str]]:
    rows = [{name: child_text(one, name) for name in children(one)} for one in items(result, "Deployments")]
    return [row for row in rows if row["UpdateId"].lower() == update]


@pytest.mark.wsusss("3.1.4.10")
def test_the_parts_come_in_the_order_of_their_type_with_the_built_in_groups(child, synced):
    result = child.deployments(synced)
    assert children(result) == ORDER
    groups = {child_text(one, "TargetGroupID").lower(): one for one in items(result, "Groups")}
    for known in (ALL_COMPUTERS, UNASSIGNED):
        assert child_text(groups[known], "IsBuiltin") == "true"


@pytest.mark.wsusss("3.1.4.10")
@pytest.mark.setup
def test_a_decision_is_told_once_and_its_end_too(child, setup, bench):
    update = bench["plain"]
    group = setup.group("replica")
    synced = eventually(lambda: child.revisions().anchor)
    setup.admin.approve(update.id, group)
    first = child.deployments(synced)
    names = {child_text(one, "Name"): child_text(one, "TargetGroupID") for one in items(first, "Groups")}
    (row,) = [row for row in about(first, update.id) if row["TargetGroupId"] == names[group]]
    assert list(row) == FIELDS
    assert (row["Action"], row["IsAssigned"], row["RevisionNumber"]) == ("0", "true", str(update.revision))
    anchor = child_text(first, "Anchor")
    assert about(child.deployments(synced, anchor), update.id) == []
    setup.admin.unapprove(update.id, group)
    ended = child.deployments(synced, anchor)
    assert row["DeploymentGuid"] in [one.text for one in items(ended, "DeadDeployments")]
    assert about(ended, update.id) == []


@pytest.mark.wsusss("3.1.4.10")
@pytest.mark.setup
def test_declined_updates_are_hidden(child, setup, bench, synced):
    belongs = [[bench["product"].id], [bench["security"].id]]
    update = software(f"{setup.tag} unwanted {uuid.uuid4().hex}", [[bench["present"].id]], belongs)
    setup.admin.import_all({"unwanted.xml": update.bytes()})
    setup.admin.decline(update.id)
    hidden = [one.text.lower() for one in items(child.deployments(synced), "HiddenUpdates")]
    assert update.id in hidden


@pytest.mark.wsusss("3.1.4.10")
@pytest.mark.parametrize("name", ["syncAnchor", "deploymentAnchor"])
def test_an_anchor_of_another_form_is_refused(child, synced, name):
    anchors = {"deploymentAnchor": "", "syncAnchor": synced} | {name: "garbage"}
    content = child.with_cookie("".join(text(*pair) for pair in anchors.items()))
    fault = fault_of(child.send(SERVER_SYNC, "GetDeployments", content))
    assert fault.error_code == "InvalidParameters" and name in fault["Message"]


@pytest.mark.wsusss("3.1.4.10")
@pytest.mark.parametrize("given", ["", None])
def test_the_synchronization_anchor_must_be_there(child, given):
    content = child.with_cookie(text("deploymentAnchor", "") + (text("syncAnchor", given) or ""))
    fault = fault_of(child.send(SERVER_SYNC, "GetDeployments", content))
    assert fault.error_code == "InvalidParameters" and "syncAnchor" in fault["Message"]
