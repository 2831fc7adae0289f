"""MS-WUSP 3.1.5.7, 2.2.2.2.4: what an administrator's decisions look like to clients, and how changes reach
clients that hold the update already."""

from datetime import UTC, datetime

import pytest

from conformance.hooks import eventually
from conformance.wire.client import Computer
from conformance.wire.soap import CLIENT
from tests.support.documents import Document, bundle, detectoid, software

pytestmark = pytest.mark.setup


class Watcher:
    """A computer that has scanned, in a group of its own, and what it is told afterwards."""

    def __init__(self, setup, subject: str):
        self.setup = setup
        self.computer = Computer(subject).handshake()
        self.group = setup.group()
        setup.place(self.computer, self.group)
        self.scan = self.computer.scan()
        # Moving changed the groups; take what that changed, so that later pages speak of decisions only.
        self.page()

    def page(self):
        return self.computer.sync(installed=sorted(self.scan.installed), other=sorted(self.scan.other))

    def changed(self, document: Document):
        """The first change told of an update, with the page it came in."""
        wanted = self.scan.by_id(document.id).id

        def look():
            """A change of the update is told."""
            page = self.page()
            return next(((update, page) for update in page.changed if update.id == wanted), None)

        return eventually(look)

    def fresh(self) -> "Computer":
        """Another computer of the group, with an empty cache."""
        other = Computer(self.computer.base).handshake()
        self.setup.place(other, self.group)
        return other


@pytest.fixture()
def watcher(setup, subject):
    return Watcher(setup, subject)


@pytest.mark.observed("3.2")
def test_undecided_updates_are_only_looked_for(watcher, bench):
    """PreDeploymentCheck: evaluated and reported, never offered."""
    for name in ("plain", "either", "bundle", "licensed"):
        assert watcher.scan.by_id(bench[name].id).action == "PreDeploymentCheck", name


@pytest.mark.observed("3.2")
def test_members_of_bundles_are_bundled_whatever_they_are_themselves(watcher, bench):
    for name in ("first part", "second part", "inner bundle"):
        assert watcher.scan.by_id(bench[name].id).action == "Bundle", name


@pytest.mark.observed("3.2")
def test_categories_and_detectoids_are_evaluated(watcher, bench):
    for name in ("company", "family", "product", "security", "present", "absent"):
        assert watcher.scan.by_id(bench[name].id).action == "Evaluate", name


@pytest.mark.spec("2.2.2.2.4")
def test_an_approval_reaches_the_group(setup, watcher, bench, subject):
    update = bench["to approve"]
    before = watcher.scan.by_id(update.id)
    setup.admin.approve(update.id, watcher.group)
    changed, page = watcher.changed(update)
    assert changed.action == "Install"
    assert changed.deployed("IsAssigned") == "true"
    assert changed.is_leaf == before.is_leaf
    assert changed.deployed("ID") != before.deployed("ID"), "an approval is a deployment of its own"
    assert page.new == [] and page.out_of_scope == []
    assert changed.id not in [one.id for one in watcher.page().changed], "told once"
    assert watcher.fresh().scan().by_id(update.id).action == "Install"
    elsewhere = Computer(subject).handshake().scan().by_id(update.id)
    assert elsewhere.action == "PreDeploymentCheck", "other groups are not concerned"


@pytest.mark.spec("2.2.2.2.4")
def test_taking_an_approval_back(setup, watcher, bench):
    update = bench["to change"]
    setup.admin.approve(update.id, watcher.group)
    assert watcher.changed(update)[0].action == "Install"
    setup.admin.unapprove(update.id, watcher.group)
    assert watcher.changed(update)[0].action == "PreDeploymentCheck"


@pytest.mark.spec("2.2.2.2.4")
def test_an_approval_for_removal(setup, watcher, bench):
    setup.admin.approve(bench["to remove"].id, watcher.group, action="uninstall")
    assert watcher.changed(bench["to remove"])[0].action == "Uninstall"


@pytest.mark.spec("2.2.2.2.4")
def test_a_deadline_is_a_time_and_the_date_of_change_is_today(setup, watcher, bench):
    today = {datetime.now(UTC).date().isoformat()}
    setup.admin.approve(bench["to schedule"].id, watcher.group, deadline="2031-05-06T07:08:09Z")
    changed, _ = watcher.changed(bench["to schedule"])
    today.add(datetime.now(UTC).date().isoformat())
    stamp = changed.deployed("Deadline")
    assert datetime.fromisoformat(stamp.replace("Z", "+00:00")) == datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC), stamp
    assert changed.deployed("LastChangeTime") in today


@pytest.mark.observed("3.2")
def test_declined_updates_are_withdrawn(setup, watcher, bench):
    update = bench["to decline"]
    wanted = watcher.scan.by_id(update.id).id
    setup.admin.decline(update.id)

    def gone():
        """The declined update is told out of scope."""
        page = watcher.page()
        return wanted in page.out_of_scope + page.deployed_out_of_scope

    eventually(gone)
    assert watcher.fresh().scan().by_id(update.id) is None


@pytest.mark.spec("3.1.5.7")
def test_nested_groups_take_over_what_their_parents_are_given(setup, subject, bench):
    update = bench["either"]
    parent, child = setup.group("parent"), None
    child = parent + " child"
    setup.admin.create_group(child, parent=parent)
    setup.admin.approve(update.id, parent)
    computer = Computer(subject).handshake()
    setup.place(computer, child)

    def told():
        """A computer of the child group is told to install."""
        return computer.sign_on().scan().by_id(update.id).action == "Install"

    eventually(told)


@pytest.mark.spec("3.1.5.7")
def test_moving_a_computer_changes_what_it_is_told(setup, watcher, bench):
    update = bench["licensed"]
    other = setup.group("other")
    setup.admin.accept_licence(update.id)
    setup.admin.approve(update.id, other)
    setup.place(watcher.computer, other)
    assert watcher.changed(update)[0].action == "Install"


@pytest.mark.spec("3.1.5.3")
def test_computers_may_name_their_group_when_the_server_lets_them(setup, subject, bench):
    update = bench["newer"]
    group = setup.group("named")
    setup.admin.approve(update.id, group)
    with setup.changed(targeting="client"):
        computer = Computer(subject, group=group).handshake()

        def told():
            """The computer is told what its group is given."""
            return computer.scan().by_id(update.id).action == "Install"

        eventually(told)
        stranger = Computer(subject, group="a group nobody made").handshake()
        assert stranger.scan().by_id(update.id).action == "PreDeploymentCheck"


@pytest.mark.observed("3.3")
def test_a_fresh_cookie_makes_everything_held_changed(watcher):
    """Rule 7: the anchor is in the cookie; with a new one all that is held and in scope is told again, once."""
    watcher.computer.sign_on()
    held = set(watcher.scan.updates)
    assert {update.id for update in watcher.page().changed} == held
    assert watcher.page().changed == []


@pytest.mark.spec("3.1.5.7")
def test_becoming_a_branch_is_a_change(setup, watcher, bench):
    """IsLeaf turns false when a new update names a leaf as its prerequisite."""
    leaf = detectoid(bench.name("leaf"), [[bench["product"].id]])
    setup.admin.import_all(bundle([leaf]))

    def arrived():
        """The new detectoid is delivered."""
        return next((update for update in watcher.page().new if update.update_id == leaf.id), None)

    first = eventually(arrived)
    assert first.is_leaf
    watcher.scan.updates[first.id] = first
    watcher.scan.other.add(first.id)
    setup.admin.import_all(bundle([software(bench.name("needs leaf"), [[leaf.id]], [[bench["product"].id]])]))
    changed, _ = watcher.changed(leaf)
    assert changed.is_leaf is False
    assert changed.action == "Evaluate"


@pytest.mark.spec("3.1.5.7")
def test_a_change_is_told_with_its_children_in_order(setup, watcher, bench):
    setup.admin.approve(bench["to approve"].id, watcher.group)
    changed, _ = watcher.changed(bench["to approve"])
    names = [child.tag for child in changed.node]
    assert names[:3] == [CLIENT.tag(name) for name in ("ID", "Deployment", "IsLeaf")]


@pytest.mark.spec("3.1.5.7")
def test_a_category_scan_tells_the_changes_in_its_category_and_hides_none_elsewhere(setup, watcher, bench):
    """What a scan of one category tells is not lost on the regular scan after it, nor kept from it."""
    inside, outside = bench["either"], bench["other product"]
    wanted = watcher.scan.by_id(inside.id).id
    setup.admin.approve(inside.id, watcher.group)
    setup.admin.approve(outside.id, watcher.group)

    def told():
        """The change inside the category is told by a scan of the category."""
        page = watcher.computer.sync(
            installed=sorted(watcher.scan.installed),
            other=sorted(watcher.scan.other),
            categories=[bench["product"].id],
            also_regular=False,
        )
        return wanted in [update.id for update in page.changed]

    eventually(told)
    assert watcher.changed(outside)[0].action == "Install"
