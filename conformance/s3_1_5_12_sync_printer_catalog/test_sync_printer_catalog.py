"""MS-WUSP 3.1.5.12: SyncPrinterCatalog."""

import pytest

from conformance.judging import assert_fault
from conformance.wire.answers import Sync, child, children
from conformance.wire.client import cookie_markup
from conformance.wire.soap import CLIENT, array


def printers(computer, installed=None, cached=None, **more) -> Sync:
    content = cookie_markup("cookie", computer.cookie)
    content += array("installedNonLeafUpdateIDs", "int", installed) or ""
    content += array("printerUpdateIDs", "int", cached) or ""
    reply = computer.call(CLIENT, "SyncPrinterCatalog", content, **more)
    return Sync(child(reply.result(), "SyncPrinterCatalogResult"))


@pytest.mark.spec("3.1.5.12")
def test_the_answer_has_the_form_of_sync_updates(computer):
    names = children(printers(computer).node)
    assert {"Truncated", "NewCookie"} <= set(names)
    assert printers(computer).cookie.data


@pytest.mark.spec("2.2.2.2.9")
@pytest.mark.parametrize("action", ["SyncUpdates", "SyncPrinterCatalog"])
def test_both_published_actions_lead_there(computer, action):
    """Prose and definition name different SOAPActions (observed-behaviour 10)."""
    headers = [("SOAPAction", f'"{CLIENT.action(action)}"')]
    assert printers(computer, headers=headers).truncated is False


@pytest.mark.spec("3.1.5.12")
def test_a_scan_needs_registration_here_too(stranger):
    stranger.sign_on()
    answer = stranger.send(CLIENT, "SyncPrinterCatalog", cookie_markup("cookie", stranger.cookie))
    assert_fault(answer, "RegistrationRequired")


@pytest.mark.setup
@pytest.mark.spec("3.1.5.12")
class TestCatalog:
    def test_printer_drivers_and_nothing_else(self, scanned, bench):
        computer, scan = scanned
        page = printers(computer, installed=sorted(scan.installed))
        found = {update.update_id for update in page.new}
        assert bench["printer driver"].id in found
        assert bench["driver new"].id not in found
        assert {update.kind for update in page.new} == {"Driver"}

    def test_their_prerequisites_count(self, scanned, bench):
        computer, _ = scanned
        found = {update.update_id for update in printers(computer, installed=[]).new}
        assert bench["printer driver"].id not in found

    def test_cached_ones_are_not_sent_again(self, scanned, bench):
        computer, scan = scanned
        new = [update.id for update in printers(computer, installed=sorted(scan.installed)).new]
        page = printers(computer, installed=sorted(scan.installed), cached=new)
        assert page.new == [] and page.out_of_scope == []

    def test_unknown_ones_leave_the_cache(self, scanned, bench):
        computer, scan = scanned
        page = printers(computer, installed=sorted(scan.installed), cached=[1_999_999_996])
        assert page.out_of_scope == [1_999_999_996]
