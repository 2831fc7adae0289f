"""MS-WUSP 3.1.5.7: which revisions are delivered, and when. Properties of any catalog come first; the rules one
by one follow, with a catalog of our own."""

from dataclasses import replace

import pytest

from conformance.hooks import eventually
from conformance.wire.answers import Update
from conformance.wire.client import Computer
from tests.support.documents import bundle, software


def ids(updates: list[Update]) -> set[int]:
    return {update.id for update in updates}


# Properties of whatever the subject has.


@pytest.mark.spec("3.1.5.7")
def test_prerequisites_are_satisfied_by_what_was_named_installed(scanned):
    _, scan = scanned
    names = {update.update_id: update.id for update in scan.updates.values()}
    for installed, page in scan.pages:
        for update in page.new:
            for clause in update.clauses:
                assert any(names.get(one) in installed for one in clause), f"{update.update_id} came too early"


@pytest.mark.spec("3.1.5.7")
def test_a_client_without_anything_is_given_only_what_needs_nothing(computer):
    page = computer.sync()
    assert page.new
    assert all(update.clauses == [] for update in page.new)
    assert page.out_of_scope == [] and page.changed == []


@pytest.mark.spec("3.1.5.7")
def test_no_update_comes_twice(scanned):
    _, scan = scanned
    delivered = [update.id for _, page in scan.pages for update in page.new]
    assert len(delivered) == len(set(delivered))
    updates = [update.update_id for update in scan.updates.values()]
    assert len(updates) == len(set(updates)), "one revision per update"


@pytest.mark.spec("3.1.5.7")
def test_is_leaf_is_false_for_every_prerequisite(scanned):
    """IsCategory clauses count; bundle membership does not (observed-behaviour 3.2)."""
    _, scan = scanned
    named = {one for update in scan.updates.values() for clause in update.clauses for one in clause}
    for update in scan.updates.values():
        if update.update_id in named:
            assert not update.is_leaf, update.update_id


@pytest.mark.observed("3.2")
def test_actions_follow_the_kind_of_update(scanned):
    _, scan = scanned
    members = {identity for update in scan.updates.values() for identity in update.bundled}
    for update in scan.updates.values():
        if update.kind in ("Category", "Detectoid"):
            assert update.action == "Evaluate", update.update_id
        elif (update.update_id, update.revision) in members:
            assert update.action == "Bundle", update.update_id
        else:
            assert update.action in ("Install", "OptionalInstall", "Uninstall", "PreDeploymentCheck"), update.update_id


@pytest.mark.spec("3.1.1.1")
def test_core_fragments_hold_their_parts_in_order_and_no_namespaces(scanned):
    _, scan = scanned
    order = ["UpdateIdentity", "Properties", "Relationships", "ApplicabilityRules"]
    for update in scan.updates.values():
        tags = [node.tag for node in update.core]
        assert tags == [tag for tag in order if tag in tags], tags
        assert tags[:2] == order[:2]
        assert "schemas.microsoft.com/msus" not in update.xml


@pytest.mark.spec("3.1.5.7")
def test_what_is_cached_is_not_delivered_again(scanned):
    computer, scan = scanned
    page = computer.sync(installed=sorted(scan.installed), other=sorted(scan.other))
    assert page.new == []
    assert page.out_of_scope == []
    assert page.truncated is False


@pytest.mark.observed("3.3")
def test_other_cached_ids_never_satisfy_a_prerequisite(scanned):
    """Everything is held, nothing is named installed: all that needs something leaves the scope."""
    computer, scan = scanned
    page = computer.sync(other=sorted(scan.updates))
    assert page.new == []
    needing = {update.id for update in scan.updates.values() if update.clauses}
    assert set(page.out_of_scope) | set(page.deployed_out_of_scope) == needing


@pytest.mark.spec("3.1.5.7")
def test_ids_nobody_issued_leave_the_cache(scanned):
    computer, scan = scanned
    strange = [1_999_999_998, 1_999_999_999]
    page = computer.sync(installed=sorted(scan.installed), other=sorted(scan.other) + strange)
    assert page.out_of_scope == strange


@pytest.mark.spec("3.1.5.7")
def test_what_a_scan_has_just_delivered_has_not_changed(subject):
    """The cookie remembers what was told; see ChangedUpdates."""
    scan = Computer(subject).handshake().scan()
    assert [page.changed for _, page in scan.pages if page.changed] == []


@pytest.mark.spec("3.1.5.7")
def test_the_same_question_has_the_same_answer(scanned):
    computer, scan = scanned
    cookie = computer.cookie
    first, second = (computer.sync(installed=sorted(scan.installed), cookie=cookie) for _ in range(2))
    assert ids(first.new) == ids(second.new)


# The rules, one by one.


@pytest.fixture()
def held(computer, bench):
    """The computer after a scan; look updates up by the bench's names."""
    scan = computer.scan()

    class Held:
        def __call__(self, name: str) -> Update | None:
            return scan.by_id(bench[name].id)

    held = Held()
    held.computer, held.scan, held.bench = computer, scan, bench
    return held


@pytest.mark.setup
@pytest.mark.spec("3.1.5.7")
class TestRules:
    def test_the_category_tree_comes_level_by_level(self, computer, bench):
        rounds = {}
        scan = computer.scan()
        for number, (_, page) in enumerate(scan.pages):
            for update in page.new:
                rounds[update.update_id] = number
        levels = [rounds[bench[name].id] for name in ("company", "family", "product", "present", "plain")]
        assert levels == sorted(set(levels)), levels

    def test_a_clause_is_satisfied_by_any_of_its_updates(self, held):
        assert held("either") is not None

    def test_every_clause_must_be_satisfied(self, held):
        assert held("present") is not None and held("absent") is not None
        assert held("both") is None
        assert held("gated") is None

    def test_naming_it_installed_opens_the_gate(self, held):
        installed = held.scan.installed | {held("absent").id}
        page = held.computer.sync(installed=sorted(installed), other=sorted(held.scan.other - installed))
        found = {update.update_id for update in page.new}
        assert {held.bench["both"].id, held.bench["gated"].id} <= found

    def test_a_cached_update_whose_gate_closed_leaves_and_comes_back(self, held):
        """Observed-behaviour 3.3 rule 4."""
        present, plain = held("present").id, held("plain").id
        installed = held.scan.installed - {present}
        other = held.scan.other | {present}
        page = held.computer.sync(installed=sorted(installed), other=sorted(other))
        assert plain in page.out_of_scope + page.deployed_out_of_scope
        kept = other - set(page.out_of_scope) - set(page.deployed_out_of_scope) - {present}
        page = held.computer.sync(installed=sorted(installed | {present}), other=sorted(kept))
        assert plain in ids(page.new)

    def test_superseded_updates_are_delivered_too(self, held):
        """Observed-behaviour 3.2: the agent needs them to judge."""
        assert held("plain") is not None and held("newer") is not None

    def test_bundle_members_are_delivered_for_their_own_prerequisites(self, held):
        assert [held(name) is not None for name in ("bundle", "first part", "inner bundle", "second part")] == [
            True
        ] * 4

    def test_bundle_membership_does_not_make_a_branch(self, held):
        assert held("first part").is_leaf and held("second part").is_leaf
        assert not held("present").is_leaf and not held("product").is_leaf

    def test_classifications_are_branches_because_updates_name_them(self, held):
        assert not held("security").is_leaf

    def test_drivers_are_not_part_of_a_software_scan(self, held, bench):
        assert all(update.kind != "Driver" for update in held.scan.updates.values())
        assert held("driver new") is None


@pytest.mark.setup
@pytest.mark.spec("3.1.1")
def test_only_the_highest_revision_is_delivered(setup, subject):
    """A prerequisite names an update, which means its highest revision; the older one leaves the cache."""
    bench = setup.bench
    old = software(setup.bench.name("revised"), [[bench["present"].id]], [[bench["product"].id]], deployable=True)
    setup.admin.import_all(bundle([old]))
    computer = Computer(subject).handshake()
    scan = computer.scan()
    first = scan.by_id(old.id)
    assert first.revision == 100
    setup.admin.import_all(bundle([replace(old, revision=102), replace(old, revision=101)]))

    def page():
        """The new revision arrived."""
        found = computer.sync(installed=sorted(scan.installed), other=sorted(scan.other))
        return found if found.new else None

    page = eventually(page)
    assert [(update.update_id, update.revision) for update in page.new] == [(old.id, 102)]
    assert page.out_of_scope == [first.id]
    fresh = Computer(subject).handshake().scan()
    assert fresh.by_id(old.id).revision == 102
