"""MS-WUSP 3.1.5.6: StartCategoryScan."""

import uuid

import pytest

from conformance.judging import assert_fault
from conformance.wire.answers import children
from conformance.wire.soap import CLIENT, element, text

UNKNOWN = str(uuid.uuid4())


@pytest.mark.spec("3.1.5.6")
def test_an_unknown_category_is_reported(stranger):
    assert stranger.start_category_scan([(0, UNKNOWN)]) == ([], [UNKNOWN])


@pytest.mark.spec("3.1.5.6")
def test_categories_must_be_present(stranger):
    assert_fault(stranger.send(CLIENT, "StartCategoryScan", ""), "InvalidParameters")


@pytest.mark.spec("3.1.5.6")
def test_an_empty_list_is_no_preference_or_counts_as_missing(stranger):
    """The text does not say which; no server was seen with one."""
    reply = stranger.call(CLIENT, "StartCategoryScan", "<requestedCategories/>")
    if reply.fault is None:
        assert len(reply.result()) == 0
    else:
        assert reply.fault.error_code == "InvalidParameters"


@pytest.mark.spec("3.1.5.6")
@pytest.mark.parametrize("count", [200, 1000])
def test_many_categories_are_too_many(stranger, count):
    """The specification's note on the limit: 200 or more."""
    content = element(
        "requestedCategories",
        *(
            element("CategoryRelationship", text("IndexOfAndGroup", number), text("CategoryId", str(uuid.uuid4())))
            for number in range(count)
        ),
    )
    assert_fault(stranger.send(CLIENT, "StartCategoryScan", content), "InvalidParameters")


@pytest.mark.spec("3.1.5.6")
def test_fewer_are_not(stranger):
    wanted = [(number, str(uuid.uuid4())) for number in range(199)]
    preferred, wrong = stranger.start_category_scan(wanted)
    assert preferred == [] and set(wrong) == {category for _, category in wanted}


@pytest.mark.setup
@pytest.mark.observed("2")
def test_no_cookie_is_needed_and_a_known_product_is_echoed(stranger, bench):
    product = bench["product"].id
    content = element(
        "requestedCategories",
        element("CategoryRelationship", text("IndexOfAndGroup", 0), text("CategoryId", product)),
    )
    result = stranger.call(CLIENT, "StartCategoryScan", content).result()
    assert children(result) == ["preferredCategoryIds"], "no error list when nothing is wrong"
    assert [node.text for node in result[0]] == [product]


@pytest.mark.setup
@pytest.mark.spec("3.1.5.6")
class TestGroups:
    """The rules for groups of categories."""

    def test_a_product_with_a_classification_prefers_the_product(self, stranger, bench):
        product, kind = bench["product"].id, bench["security"].id
        assert stranger.start_category_scan([(0, product), (0, kind)]) == ([product], [])
        assert stranger.start_category_scan([(0, kind), (0, product)]) == ([product], [])

    def test_every_group_counts_for_itself(self, stranger, bench):
        product, anvil, kind = bench["product"].id, bench["anvil"].id, bench["tools"].id
        preferred, wrong = stranger.start_category_scan([(0, product), (1, anvil), (1, kind)])
        assert (sorted(preferred), wrong) == (sorted([product, anvil]), [])

    def test_groups_may_be_mixed_and_numbered_freely(self, stranger, bench):
        product, anvil, kind = bench["product"].id, bench["anvil"].id, bench["security"].id
        preferred, wrong = stranger.start_category_scan([(7, product), (-2, anvil), (7, kind)])
        assert (sorted(preferred), wrong) == (sorted([product, anvil]), [])

    def test_an_unknown_category_takes_its_group_with_it(self, stranger, bench):
        product, anvil = bench["product"].id, bench["anvil"].id
        preferred, wrong = stranger.start_category_scan([(0, product), (0, UNKNOWN), (1, anvil)])
        assert (preferred, wrong) == ([anvil], [UNKNOWN])

    def test_a_lone_classification_clears_what_was_preferred(self, stranger, bench):
        product, kind = bench["product"].id, bench["security"].id
        assert stranger.start_category_scan([(0, product), (1, kind)]) == ([], [])

    def test_two_products_in_one_group_are_not_allowed(self, stranger, bench):
        both = [(0, bench["product"].id), (0, bench["anvil"].id)]
        assert stranger.start_category_scan(both) == ([], [])

    def test_three_in_one_group_are_not_allowed(self, stranger, bench):
        three = [(0, bench["product"].id), (0, bench["security"].id), (0, bench["tools"].id)]
        assert stranger.start_category_scan(three) == ([], [])

    def test_what_stands_before_a_forbidden_group_is_cleared_and_errors_stay(self, stranger, bench):
        wanted = [(0, bench["product"].id), (1, UNKNOWN), (2, bench["security"].id)]
        assert stranger.start_category_scan(wanted) == ([], [UNKNOWN])

    def test_a_family_or_a_company_is_not_a_product(self, stranger, bench):
        for name in ("family", "company"):
            assert stranger.start_category_scan([(0, bench["product"].id), (1, bench[name].id)]) == ([], [])

    def test_an_update_is_not_a_category(self, stranger, bench):
        """The server recognizes no category of that id."""
        plain = bench["plain"].id
        assert stranger.start_category_scan([(0, plain)]) == ([], [plain])
