"""MS-WUSP 3.1.5.7 with FilterCategoryIds: scans of some categories only."""

import pytest

from conformance.hooks import eventually
from conformance.wire.client import Computer

pytestmark = pytest.mark.setup


def scan_of(computer, bench, name: str):
    """A scan of one product of the bench, as the native agent asks for it after StartCategoryScan."""
    preferred, wrong = computer.start_category_scan([(0, bench[name].id)])
    assert (preferred, wrong) == ([bench[name].id], [])
    return computer.scan(categories=preferred, also_regular=False)


@pytest.fixture()
def category_scan(computer, bench):
    return scan_of(computer, bench, "product")


@pytest.mark.observed("3.3")
def test_the_chain_of_the_category_comes_one_level_a_round(computer, bench):
    """Rule 10: company, family, product. Seen for a product without updates."""
    pages = scan_of(computer, bench, "quiet").pages
    rounds = [[update.update_id for update in page.new] for _, page in pages]
    assert [one for one in rounds if one] == [[bench[name].id] for name in ("company", "family", "quiet")]


@pytest.mark.spec("2.2.2.2.4")
def test_updates_of_the_category_are_returned_with_what_they_need(category_scan, bench):
    for name in ("company", "family", "product", "present", "plain", "bundle", "first part"):
        assert category_scan.by_id(bench[name].id) is not None, name


@pytest.mark.spec("2.2.2.2.4")
def test_only_updates_related_to_the_category_are_returned(category_scan, bench):
    for name in ("anvil", "tools", "other product"):
        assert category_scan.by_id(bench[name].id) is None, name


@pytest.mark.observed("3.3")
@pytest.mark.parametrize("name, said", [("quiet", "true"), ("product", "false")])
def test_a_category_without_drivers_needs_no_driver_pass(computer, bench, name, said):
    """Rule 9: true in the category scan. Seen for a category without drivers; 2.2.2.2.4 says what else."""
    assert {page.driver_sync_not_needed for _, page in scan_of(computer, bench, name).pages} == {said}


@pytest.mark.observed("3.2")
def test_what_a_category_scan_has_just_delivered_has_not_changed(category_scan):
    """Recorded category scans hold no ChangedUpdates, whatever round they are in."""
    assert [page.changed for _, page in category_scan.pages if page.changed] == []


@pytest.mark.spec("2.2.2.2.4")
def test_an_unknown_category_relates_to_nothing(computer):
    page = computer.sync(categories=["12345678-1234-1234-1234-123456789012"], also_regular=False)
    assert page.new == []


@pytest.mark.spec("2.2.2.2.4")
def test_two_groups_of_out_of_scope_updates(setup, scanned, bench, subject):
    """What is deployed but outside the filter goes to DeployedOutOfScopeRevisionIds; OutOfScopeRevisionIDs then
    holds only what is no longer deployed."""
    computer, scan = scanned
    outside = scan.by_id(bench["other product"].id).id
    unknown = 1_999_999_997
    page = computer.sync(
        installed=sorted(scan.installed),
        other=sorted(scan.other) + [unknown],
        categories=[bench["product"].id],
        two_groups=True,
        also_regular=False,
    )
    assert outside not in page.out_of_scope
    assert outside in page.deployed_out_of_scope
    assert unknown in page.out_of_scope


@pytest.mark.spec("2.2.2.2.4")
def test_one_group_when_the_client_asks_for_one(scanned, bench):
    computer, scan = scanned
    page = computer.sync(
        installed=sorted(scan.installed),
        other=sorted(scan.other),
        categories=[bench["product"].id],
        two_groups=False,
        also_regular=False,
    )
    assert page.deployed_out_of_scope == []


@pytest.mark.observed("3.1")
def test_a_regular_scan_is_not_filtered_by_an_empty_list(subject, bench):
    def found():
        """The update of the other product is delivered."""
        return Computer(subject).handshake().scan(categories=[]).by_id(bench["other product"].id)

    eventually(found)
