"""MS-WUSP 3.1.5.5: RegisterComputer."""

import json

import pytest

from conformance.hooks import eventually
from conformance.judging import assert_fault, assert_refused
from conformance.wire.client import Computer
from conformance.wire.soap import CLIENT, Reply


@pytest.mark.spec("3.1.5.5")
def test_the_answer_is_an_empty_element(computer):
    result = computer.register()
    assert result.tag == CLIENT.tag("RegisterComputerResponse")
    assert len(result) == 0 and not (result.text or "").strip()


@pytest.mark.spec("3.1.5.5")
def test_registering_again_is_no_fault(computer):
    computer.register()
    computer.register(OSBuildNumber=26201)


@pytest.mark.observed("2")
def test_what_native_agents_say_is_taken_as_it_is(computer):
    """Misspelt architectures, unknown firmware, text in any script."""
    computer.register(
        ProcessorArchitecture="AMD64",
        FirmwareVersion="unknown",
        MobileOperator="Not Present",
        ComputerModel="Standard PC (Q35 + ICH9, 2009)",
        OSDescription="Windows 10 Pro für Ärzte 日本語 & <more>",
    )


@pytest.mark.spec("3.1.5.5")
@pytest.mark.parametrize(
    "change",
    [{"OSMajorVersion": "ten"}, {"OSBuildNumber": 2**40}, {"BiosReleaseDate": "yesterday"}, {"OldProductType": 300}],
    ids=["word", "too large", "no date", "no byte"],
)
def test_values_of_another_type_are_refused_or_ignored(computer, change):
    answer = computer.send(CLIENT, "RegisterComputer", computer.register_content(**change))
    if Reply(answer).fault is not None:
        assert_refused(answer)


@pytest.mark.spec("3.1.5.5")
def test_registration_needs_a_subject(computer):
    """computerInfo left out: the only information there is."""
    content = computer.register_content()
    answer = computer.send(CLIENT, "RegisterComputer", content[: content.index("<computerInfo>")])
    if Reply(answer).fault is not None:
        assert_fault(answer, "InvalidParameters")


@pytest.mark.setup
@pytest.mark.spec("3.1.5.5")
def test_administrators_see_the_computer(setup, subject):
    computer = Computer(subject).handshake()

    def seen():
        """The computer's name in what the administrator is shown of it."""
        return computer.dns_name in json.dumps(setup.admin.computer(computer.id))

    eventually(seen)
