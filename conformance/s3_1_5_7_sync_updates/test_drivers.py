"""MS-WUSP 3.1.5.7, the driver pass: which driver is the best for a device, and when it is better than the one
installed."""

import pytest

from conformance.hooks import eventually
from conformance.wire.client import Computer, device
from tests.support.bench import FEATURE_KEY, OTHER_PC, THIS_PC

pytestmark = [pytest.mark.setup, pytest.mark.spec("3.1.5.7")]

NO_DRIVER = {"DriverVerDate": "0001-01-01T00:00:00Z", "DriverVerVersion": 0, "DriverRank": -1}


def packed(version: str) -> int:
    """The four-part version as the wire's 64-bit number."""
    parts = [int(part) for part in version.split(".")]
    return parts[0] << 48 | parts[1] << 32 | parts[2] << 16 | parts[3]


def installed_driver(matching: str, date: str, version: str, **more) -> dict:
    order = ("MatchingID", "DriverVerDate", "DriverVerVersion", "Class", "Manufacturer", "Provider", "Model")
    values = {
        "MatchingID": matching,
        "DriverVerDate": f"{date}T00:00:00Z",
        "DriverVerVersion": packed(version),
        "Class": "Net",
        "Manufacturer": "Contoso",
        "Provider": "Contoso",
        "Model": "Contoso Adapter",
    } | more
    return {name: values[name] for name in order} | {"DriverRank": 16711680}


class DriverPass:
    """The driver pass of a computer whose software scan is done."""

    def __init__(self, setup, subject: str, protocol: str = "2.90"):
        self.bench = setup.bench
        self.names = {document.id: name for name, document in self.bench.documents.items()}
        self.computer = Computer(subject, protocol=protocol).handshake()
        self.scan = self.computer.scan()

    def __call__(self, *devices: str, **more):
        parameters = {"feature_key": FEATURE_KEY} | more
        return self.computer.sync(
            installed=sorted(self.scan.installed), skip_software=True, devices=list(devices), **parameters
        )

    def offered(self, *devices: str, **more) -> list[str]:
        """The bench's names of the drivers offered."""
        return sorted(self.names.get(update.update_id, update.update_id) for update in self(*devices, **more).new)


@pytest.fixture()
def drivers(setup, subject):
    found = DriverPass(setup, subject)

    def there():
        """The bench's drivers are in the catalog that scans see."""
        return found.offered(device([found.bench.adapter]))

    eventually(there)
    return found


def test_the_later_date_wins_then_the_higher_version(drivers):
    """Three drivers for the same hardware id: the old, the new, and the new with a higher version."""
    assert drivers.offered(device([drivers.bench.adapter])) == ["driver version"]


def test_an_id_listed_earlier_wins_over_a_later_date(drivers):
    bench = drivers.bench
    assert drivers.offered(device([bench.adapter], [bench.generic])) == ["driver version"]
    assert drivers.offered(device([bench.generic, bench.adapter])) == ["driver compatible"]


def test_compatible_ids_come_after_hardware_ids(drivers):
    bench = drivers.bench
    assert drivers.offered(device(["PCI\\UNKNOWN"], [bench.generic])) == ["driver compatible"]


def test_hardware_ids_match_in_any_letter_case(drivers):
    assert drivers.offered(device([drivers.bench.adapter.lower()])) == ["driver version"]


def test_a_better_feature_score_wins_over_a_later_date(drivers):
    """A lower score is better."""
    assert drivers.offered(device([drivers.bench.scored_device])) == ["driver scored"]


def test_a_targeted_computer_wins_over_everything(drivers):
    one = device([drivers.bench.targeted_device])
    assert drivers.offered(one, computer_hardware=[THIS_PC]) == ["driver targeted"]


def test_a_driver_for_other_computers_is_not_offered(drivers):
    one = device([drivers.bench.targeted_device])
    assert drivers.offered(one, computer_hardware=["00000000-1111-2222-3333-444444444444"]) == ["driver for all"]
    assert drivers.offered(one) == ["driver for all"]


def test_the_computer_id_listed_earlier_is_the_more_specific(drivers):
    one = device([drivers.bench.targeted_device])
    assert drivers.offered(one, computer_hardware=[THIS_PC, OTHER_PC]) == ["driver targeted"]
    assert drivers.offered(one, computer_hardware=[OTHER_PC, THIS_PC]) == ["driver for others"]


def test_unknown_hardware_gets_nothing(drivers):
    assert drivers.offered(device(["PCI\\NOBODY_HAS_THIS"])) == []


def test_the_installed_driver_must_be_beaten(drivers):
    adapter = drivers.bench.adapter
    older = device([adapter], installed=installed_driver(adapter, "2024-01-01", "1.0.0.0"))
    same = device([adapter], installed=installed_driver(adapter, "2025-01-01", "1.0.0.9"))
    newer = device([adapter], installed=installed_driver(adapter, "2026-09-09", "2.0.0.0"))
    assert drivers.offered(older) == ["driver version"]
    assert drivers.offered(same) == []
    assert drivers.offered(newer) == []


def test_no_driver_is_written_as_a_driver_from_the_year_one(drivers):
    """Observed-behaviour 3.1."""
    assert drivers.offered(device([drivers.bench.adapter], installed=NO_DRIVER)) == ["driver version"]


def test_every_device_gets_its_own_best_driver(drivers):
    bench = drivers.bench
    both = drivers.offered(device([bench.adapter]), device([bench.scored_device]))
    assert both == ["driver scored", "driver version"]


def test_two_devices_of_a_kind_get_one_driver(drivers):
    adapter = drivers.bench.adapter
    assert drivers.offered(device([adapter]), device([adapter])) == ["driver version"]


def test_a_printer_is_only_updated_by_the_same_provider_and_manufacturer(drivers):
    printer = drivers.bench.printer

    def mine(**more):
        return device([printer], installed=installed_driver(printer, "2020-01-01", "1.0.0.0", Class="Printer", **more))

    assert drivers.offered(mine()) == ["printer driver"]
    assert drivers.offered(mine(Provider="Fabrikam")) == []
    assert drivers.offered(mine(Manufacturer="Fabrikam")) == []


def test_the_deployment_names_the_hardware_it_is_best_for(drivers):
    """For clients from 1.6 on (2.2.2.2.4, HardwareIds)."""
    adapter = drivers.bench.adapter
    (update,) = drivers(device([adapter])).new
    assert [one.lower() for one in update.hardware_ids] == [adapter.lower()]
    assert update.kind == "Driver"


def test_older_clients_are_not_sent_hardware_ids(setup, subject):
    older = DriverPass(setup, subject, protocol="1.5")
    adapter = older.bench.adapter
    page = older.computer.sync(
        installed=sorted(older.scan.installed), skip_software=True, devices=[device([adapter])], two_groups=None
    )
    (update,) = page.new
    assert update.deployed("HardwareIds") is None


def test_a_cached_driver_is_not_sent_again(drivers):
    one = device([drivers.bench.adapter])
    (update,) = drivers(one).new
    page = drivers(one, cached_drivers=[update.id])
    assert page.new == [] and page.out_of_scope == []


def test_a_cached_driver_nobody_needs_any_more_leaves_the_cache(drivers):
    (update,) = drivers(device([drivers.bench.adapter])).new
    page = drivers(device(["PCI\\NOBODY_HAS_THIS"]), cached_drivers=[update.id])
    assert update.id in page.out_of_scope + page.deployed_out_of_scope


def test_drivers_wait_for_their_prerequisites(drivers):
    page = drivers.computer.sync(installed=[], skip_software=True, devices=[device([drivers.bench.adapter])])
    assert page.new == []


def test_software_is_not_part_of_a_driver_pass(drivers):
    page = drivers(device([drivers.bench.adapter]))
    assert {update.kind for update in page.new} == {"Driver"}


def test_the_software_pass_asks_for_a_driver_pass_when_there_are_drivers(drivers):
    """Observed-behaviour 3.3 rule 9: false normally."""
    page = drivers.computer.sync(installed=sorted(drivers.scan.installed), other=sorted(drivers.scan.other))
    assert page.driver_sync_not_needed == "false"
