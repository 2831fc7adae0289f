"""MS-WUSP 3.1.5.11: ReportEventBatch, its second form, and the inventory calls beside it."""

import uuid

import pytest

from conformance.hooks import eventually
from conformance.judging import assert_fault
from conformance.wire.answers import child_text
from conformance.wire.client import Computer, cookie_markup, now
from conformance.wire.soap import REPORTING, Reply, element, text


@pytest.mark.spec("3.1.5.11")
def test_a_batch_is_taken(computer):
    events = [computer.event(147, replacements=["3"]), computer.event(156, misc=["U=" + str(uuid.uuid4()).upper()])]
    assert computer.report(events) == "true"


@pytest.mark.observed("6")
def test_an_event_sent_twice_is_taken_twice(computer):
    """It is kept once; the agent cannot know whether its first call arrived."""
    event = computer.event(147, instance=str(uuid.uuid4()))
    assert computer.report([event]) == "true"
    assert computer.report([event]) == "true"
    assert computer.report([event, event]) == "true"


@pytest.mark.observed("6")
@pytest.mark.parametrize("event_id", [147, 148, 153, 156, 161, 162, 167, 181, 182, 183, 184, 190, 201, 221, 222, 541])
def test_every_known_event_is_taken(computer, event_id):
    update = (str(uuid.uuid4()), 200)
    assert computer.report([computer.event(event_id, update, hresult=-2145099769)]) == "true"


@pytest.mark.spec("3.1.5.11")
@pytest.mark.parametrize("event_id", [0, 999, 32767])
def test_an_unknown_event_is_no_fault(computer, event_id):
    assert computer.report([computer.event(event_id)]) == "true"


@pytest.mark.observed("6")
def test_long_status_lists_are_taken(computer):
    """312 ids were seen in one event."""
    ids = ";".join(sorted(str(uuid.uuid4()).upper() for _ in range(312)))
    assert computer.report([computer.event(156, misc=[f"U={ids}", f"V={ids}"])]) == "true"


@pytest.mark.spec("3.1.5.11")
def test_an_empty_batch_is_no_fault(computer):
    assert computer.report([]) == "true"


@pytest.mark.spec("3.1.5.11")
def test_a_missing_batch_may_be_refused(computer):
    answer = computer.send(REPORTING, "ReportEventBatch", computer.report_content(None))
    if Reply(answer).fault is not None:
        fault = assert_fault(answer, "InvalidParameters")
        assert "eventBatch" in (fault["Message"] or "")


@pytest.mark.spec("3.1.5.11")
@pytest.mark.parametrize(
    "old, new",
    [
        ("<EventID>147<", "<EventID>many<"),
        ("<NamespaceID>1<", "<NamespaceID>99999999999<"),
        ("<ProcessorArchitecture>Amd64Compatible<", "<ProcessorArchitecture>Abacus<"),
        ("<Sid>", "<Sid>no such computer "),
    ],
    ids=["word for a number", "number too large", "unknown architecture", "unknown computer"],
)
def test_one_odd_event_is_refused_or_passed_over(computer, old, new):
    event = computer.event(147)
    assert old in event
    answer = computer.send(REPORTING, "ReportEventBatch", computer.report_content([event.replace(old, new)]))
    if Reply(answer).fault is not None:
        assert_fault(answer, "InvalidParameters")


@pytest.mark.spec("3.1.5.11")
def test_the_second_form_names_the_computer_instead_of_a_cookie(computer):
    content = text("computerId", computer.id) + text("clientTime", now()) + element("eventBatch", computer.event(147))
    result = computer.call(REPORTING, "ReportEventBatch2", content).result()
    assert child_text(result, "ReportEventBatch2Result") == "true"


def test_the_inventory_calls_answer(computer):
    """In the published definition of the service; no document says more."""
    cookie = cookie_markup("cookie", computer.cookie)
    asked = computer.call(
        REPORTING,
        "GetRequiredInventoryType",
        cookie + text("rulesId", str(uuid.uuid4())) + text("rulesVersion", "1.0"),
    ).result()
    assert child_text(asked, "GetRequiredInventoryTypeResult") in ("0", "1", "2", "3")
    inventory = element("inventory", text("IsCompressed", False), text("RawXml", "<Inventory/>"))
    told = computer.call(REPORTING, "ReportInventory", cookie + text("clientTime", now()) + inventory).result()
    assert child_text(told, "ReportInventoryResult") == "true"


@pytest.mark.setup
@pytest.mark.observed("6")
class TestStatus:
    """What an administrator is told: 156 lists are the status, 182 is a failure, the rest changes nothing."""

    @pytest.fixture()
    def told(self, setup, subject, bench):
        computer = Computer(subject).handshake()

        def status(name: str) -> str | None:
            """The computer's status for an update of the bench, as the admin API calls it."""
            for entry in find(setup.admin.computer(computer.id), bench[name].id):
                if "state" in entry:
                    return entry["state"]
            return None

        def becomes(name: str, wanted: str | None) -> None:
            def so():
                return status(name) == wanted or None

            so.__doc__ = f"{name} is {wanted}, not {status(name)}"
            eventually(so)

        computer.becomes, computer.status = becomes, status
        return computer

    def test_the_lists_of_156_are_needed_and_installed(self, told, bench):
        needed, installed = bench["plain"].id.upper(), bench["either"].id.upper()
        told.report([told.event(147), told.event(156, misc=[f"U={needed}", f"V={installed}"])])
        told.becomes("plain", "needed")
        told.becomes("either", "installed")

    def test_a_later_list_replaces_the_earlier(self, told, bench):
        told.report([told.event(156, misc=[f"U={bench['plain'].id.upper()}"])])
        told.becomes("plain", "needed")
        told.report([told.event(156, misc=[f"V={bench['plain'].id.upper()}"])])
        told.becomes("plain", "installed")
        told.report([told.event(156, misc=[f"V={bench['either'].id.upper()}"])])
        told.becomes("either", "installed")
        assert told.status("plain") in (None, "not_applicable")

    def test_a_failed_installation(self, told, bench):
        told.report([told.event(156, misc=[f"U={bench['plain'].id.upper()}"])])
        told.becomes("plain", "needed")
        told.report([told.event(182, bench["plain"].identity, hresult=-2145099769, replacements=["0x80240017", "x"])])
        told.becomes("plain", "failed")

    def test_progress_is_not_a_status(self, told, bench):
        told.report([told.event(156, misc=[f"U={bench['plain'].id.upper()}"])])
        told.becomes("plain", "needed")
        told.report([told.event(number, bench["plain"].identity) for number in (161, 162, 167, 181, 201)])
        assert told.status("plain") == "needed"


def find(value, update_id: str):
    """Objects inside a JSON answer that speak of the update, wherever they are."""
    if isinstance(value, dict):
        if any(isinstance(one, str) and one.lower() == update_id for one in value.values()):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from find(one, update_id)
