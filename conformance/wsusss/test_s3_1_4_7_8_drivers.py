"""MS-WSUSSS 3.1.4.7: GetDriverIdList; 3.1.4.8: GetDriverSetData. Who calls them is a server above (the specification
names Microsoft Update), and says for which hardware it wants to know the drivers that are here."""

import uuid

import pytest

from conformance.hooks import eventually
from conformance.judging import fault_of
from conformance.wire.answers import Cookie, child_text, items
from conformance.wire.downstream import entries, identity_of
from conformance.wire.soap import SERVER_SYNC, array, element, text
from tests.support.bench import THIS_PC
from tests.support.documents import driver

pytestmark = pytest.mark.differs("they name 0 as the limits of these calls (observed-behaviour 8)")


def wish(hardware=(), computers=(), categories=None, anchor=None, delta=False, delta_categories=False) -> str:
    """The filter: hardware ids of devices and of computers, and categories."""
    devices = (element("HardwareIdAndDelta", text("Id", one), text("Delta", delta)) for one in hardware)
    return element(
        "filter",
        text("Anchor", anchor),
        entries("Categories", categories, delta_categories) or element("Categories"),
        entries("ComputerIds", list(computers), False),
        element("PnpHardwareIds", *devices),
    )


class List:
    """A DriverSetAndRevisionIdList."""

    def __init__(self, result):
        self.anchor = child_text(result, "Anchor")
        self.drivers = {identity_of(one) for one in items(result, "NewRevisions")}
        self.new_sets = items(result, "NewDriverSets")
        self.removed_sets = items(result, "RemovedDriverSets")


def asked(server, **filter) -> List:
    return List(server.sync("GetDriverIdList", wish(**filter)))


def named(bench, *names: str) -> set[tuple[str, int]]:
    return {(bench[name].id, bench[name].revision) for name in names}


@pytest.fixture()
def found(child, bench):
    """The drivers of the bench's network adapter, once they are listed."""
    adapter = named(bench, "driver old", "driver new", "driver version")
    answer = eventually(lambda: (one := asked(child, hardware=[bench.adapter])).drivers and one)
    assert answer.drivers == adapter
    return answer


@pytest.mark.wsusss("3.1.4.7")
@pytest.mark.setup
def test_drivers_of_the_hardware_are_listed_with_an_anchor(found, child, bench):
    assert found.anchor
    both = asked(child, hardware=[bench.adapter, bench.generic]).drivers
    assert both == found.drivers | named(bench, "driver compatible")


@pytest.mark.wsusss("3.1.4.7")
@pytest.mark.setup
def test_letter_case_of_hardware_ids_does_not_matter(found, child, bench):
    assert asked(child, hardware=[bench.adapter.lower()]).drivers == found.drivers


@pytest.mark.wsusss("3.1.4.7")
@pytest.mark.setup
def test_without_hardware_ids_no_driver_is_listed(found, child):
    answer = asked(child)
    assert answer.drivers == set() and answer.anchor
    assert asked(child, hardware=["PCI\\NOBODY&HAS_THIS"]).drivers == set()


@pytest.mark.wsusss("3.1.4.7")
@pytest.mark.setup
@pytest.mark.parametrize("computer", [THIS_PC, str(uuid.UUID(int=7))], ids=["a driver is for it", "nothing is"])
def test_a_computer_of_no_driver_set_is_ignored(found, child, bench, computer):
    """Driver sets are told of for computers that are in one; no document says that one is."""
    answer = asked(child, hardware=[bench.adapter], computers=[computer])
    assert (answer.drivers, answer.new_sets, answer.removed_sets) == (found.drivers, [], [])


@pytest.mark.wsusss("3.1.4.7")
@pytest.mark.setup
def test_categories_narrow_the_list_and_unknown_ones_are_ignored(found, child, bench):
    product, other, nobody = bench["product"].id, bench["anvil"].id, str(uuid.uuid4())
    assert asked(child, hardware=[bench.adapter], categories=[product]).drivers == found.drivers
    assert asked(child, hardware=[bench.adapter], categories=[product, nobody]).drivers == found.drivers
    for none in ([other], [nobody]):
        assert asked(child, hardware=[bench.adapter], categories=none).drivers == set()


@pytest.mark.wsusss("3.1.4.7")
@pytest.mark.setup
def test_delta_tells_what_is_new_since_the_anchor_and_no_delta_everything(found, child, setup, bench):
    adapter = [bench.adapter]
    assert asked(child, hardware=adapter, anchor=found.anchor, delta=True).drivers == set()
    assert asked(child, hardware=adapter, anchor=found.anchor, delta=False).drivers == found.drivers
    late = driver(
        f"{setup.tag} late {uuid.uuid4()}", [[bench["product"].id]], [bench.hardware("2027-01-01", "9.9.0.0", LATE)]
    )
    setup.admin.import_all({"late.xml": late.bytes()})
    new = {(late.id, late.revision)}
    eventually(lambda: asked(child, hardware=[LATE]).drivers >= new)
    assert asked(child, hardware=[LATE, *adapter], anchor=found.anchor, delta=True).drivers == new
    # A category that wants everything again wants it of every hardware id.
    product = [bench["product"].id]
    again = asked(child, hardware=adapter, anchor=found.anchor, delta=True, categories=product)
    assert again.drivers == found.drivers
    again = asked(
        child, hardware=adapter, anchor=found.anchor, delta=True, categories=product, delta_categories=True
    )
    assert again.drivers == set()


# Of a device that no bench has, so that what is imported for it here is in nobody's way.
LATE = "PCI\\LATE&DEV_" + uuid.uuid4().hex[:8].upper()


@pytest.mark.wsusss("3.1.4.7")
@pytest.mark.parametrize(
    "filter",
    [dict(anchor="yesterday"), dict(hardware=["PCI\\X"] * 10_001), dict(computers=[str(uuid.UUID(int=7))] * 10_001)],
    ids=["anchor", "too many devices", "too many computers"],
)
def test_what_is_not_valid_is_refused(child, filter):
    fault = fault_of(child.send(SERVER_SYNC, "GetDriverIdList", child.with_cookie(wish(**filter))))
    assert fault.error_code == "InvalidParameters" and "filter" in fault["Message"]


@pytest.mark.wsusss("3.1.4.8")
@pytest.mark.parametrize("sets", [[], [str(uuid.UUID(int=8))]], ids=["none", "one nobody knows"])
def test_a_driver_set_that_is_not_here_is_passed_over(child, sets):
    result = child.sync("GetDriverSetData", array("driverSets", "guid", sets) or element("driverSets"))
    assert items(result, "DriverSets") == []


@pytest.mark.wsusss("3.1.4.8")
@pytest.mark.parametrize("count", [None, 10_001])
def test_the_list_of_driver_sets_must_be_there_and_not_too_long(child, count):
    sets = None if count is None else [str(uuid.UUID(int=8))] * count
    fault = fault_of(child.send(SERVER_SYNC, "GetDriverSetData", child.with_cookie(array("driverSets", "guid", sets) or "")))
    assert fault.error_code == "InvalidParameters" and "driverSets" in fault["Message"]


@pytest.mark.wsusss("3.1.4.8")
@pytest.mark.parametrize("operation", ["GetDriverIdList", "GetDriverSetData"])
def test_a_cookie_is_needed(stranger, operation):
    stranger.cookie = Cookie("2030-01-01T00:00:00Z", "AQID")
    fault = fault_of(stranger.send(SERVER_SYNC, operation, stranger.with_cookie(wish() + array("driverSets", "guid", []))))
    assert fault.error_code == "InvalidCookie"
