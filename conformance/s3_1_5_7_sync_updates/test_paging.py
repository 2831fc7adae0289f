"""MS-WUSP 3.1.5.7, Truncated: large answers come in pages, and a scan ends long before agents give up."""

import pytest

from conformance.hooks import eventually
from conformance.wire.client import Computer, present
from tests.support.documents import FALSE, bundle, detectoid, software

COUNT = 900
# Agents stop after 200 calls with 0x80244010 (observed-behaviour 3.3 rule 11).
MOST_CALLS = 200


@pytest.fixture(scope="module")
def many(_setup, subject):
    """Many updates behind one detectoid that only this module takes as installed."""
    if _setup is None:
        pytest.skip("needs ADMIN, to put a catalog into the subject")
    bench = _setup.ready().bench
    gate = detectoid(bench.name("paging gate"), [[bench["product"].id]], installed=FALSE)
    filler = "x" * 2000
    rule = f'<bar:RegSz Key="HKEY_LOCAL_MACHINE" Subkey="SOFTWARE\\Contoso" Value="v" Comparison="EqualTo" Data="{filler}" />'
    updates = [
        software(bench.name(f"page filler {number}"), [[gate.id]], [[bench["product"].id]], installed=rule)
        for number in range(COUNT)
    ]
    _setup.admin.import_all(bundle([gate, *updates]))

    def arrived():
        """The gate is delivered to a new computer."""
        return Computer(subject).handshake().scan().by_id(gate.id)

    eventually(arrived)
    return gate, {update.id for update in updates}


@pytest.fixture(scope="module")
def paged(many, subject):
    gate, wanted = many
    computer = Computer(subject).handshake()
    scan = computer.scan(
        installed=lambda update: present(update) or update.update_id == gate.id, most_rounds=MOST_CALLS
    )
    return scan, wanted


@pytest.mark.setup
@pytest.mark.spec("3.1.5.7")
def test_every_update_arrives_once(paged):
    scan, wanted = paged
    delivered = [update.update_id for _, page in scan.pages for update in page.new]
    assert wanted <= set(delivered)
    assert len(delivered) == len(set(delivered))


@pytest.mark.setup
@pytest.mark.spec("3.1.5.7")
def test_pages_that_leave_something_out_say_so_and_the_last_does_not(paged):
    scan, wanted = paged
    pages = [page for _, page in scan.pages]
    assert any(page.truncated for page in pages), "two megabytes in one answer; the page budget is not at work"
    assert not pages[-1].truncated
    for page in pages:
        if page.truncated:
            assert page.new, "a truncated page without an update would never end"


@pytest.mark.setup
@pytest.mark.spec("3.1.5.7")
def test_an_unfinished_page_is_no_reason_to_forget(paged):
    """Nothing the client holds is called out of scope because a page was cut."""
    scan, _ = paged
    assert [page.out_of_scope for _, page in scan.pages if page.out_of_scope] == []


@pytest.mark.setup
@pytest.mark.differs("they stop at 30 updates a page (observed-behaviour 3.3 rule 5)")
def test_pages_grow_to_a_budget_of_bytes(paged):
    scan, wanted = paged
    with_filler = [page for _, page in scan.pages if any(update.update_id in wanted for update in page.new)]
    assert len(with_filler) <= 5, f"{len(with_filler)} pages for two megabytes"
    assert max(len(page.new) for page in with_filler) > 200
