"""What programs read of commands: one JSON value on standard output, failures as JSON on standard error, exit codes."""

import json
import subprocess

import pytest

from conformance.wire.client import Computer
from tests.cli.test_commands import catalog
from tests.cli.test_doctor import SAMPLES
from tests.support.documents import Payload, software
from tests.support.places import binary
from tests.support.server import ServerUnderTest

NOBODY = "00000000-0000-4000-8000-000000000404"


def ask(server, *words):
    """Exit code, the value on standard output and the one on standard error; `None` where nothing is."""
    target = ["--data", str(server.data)] if server else []
    command = [str(binary()), *map(str, words), *target, "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    read = [json.loads(text) if text else None for text in (ran.stdout, ran.stderr)]
    return ran.returncode, *read


@pytest.fixture(scope="module")
def licensed():
    _, _, product, kind, *_ = catalog()
    terms = Payload("cli-licence.txt", b"You may.")
    return software("cli licensed", [[product.id]], [[product.id], [kind.id]], deployable=True, eula=terms)


@pytest.fixture(scope="module")
def server(tmp_path_factory, licensed):
    with ServerUnderTest() as running:
        folder = tmp_path_factory.mktemp("documents")
        for number, document in enumerate([*catalog(), licensed]):
            (folder / f"{number}.xml").write_bytes(document.bytes())
        assert ask(running, "catalog", "import", folder)[0] == 0
        assert ask(running, "groups", "create", "Pilot")[0] == 0
        yield running


def test_an_approval_with_all_that_goes_before_it_is_one_value(server, licensed):
    fix = catalog()[4]
    code, _, failed = ask(server, "approve", licensed.id, fix.id, "--group", "Pilot")
    assert code == 1 and "1 update left out" in failed["error"]["message"]
    code, said, failed = ask(server, "approve", licensed.id, "--accept-eula", "--group", "Nobody")
    assert code == 1 and "Nobody" in failed["error"]["message"]
    assert [one["update_id"].lower() for one in said["accepted"]] == [licensed.id.lower()]
    code, said, failed = ask(server, "approve", licensed.id, "--accept-eula", "--group", "Pilot")
    assert (code, failed) == (0, None)
    assert said["action"] == "install" and len(said["accepted"]) == 1 and said["decline_taken_back"] is False


def test_what_was_left_out_is_a_failure_and_what_was_done_is_told(server):
    fix = catalog()[4]
    code, said, failed = ask(server, "approve", NOBODY, fix.id, "--group", "Pilot")
    assert (code, said["updates"]) == (1, 1) and said["refused"][0]["update_id"] == NOBODY
    assert "left out" in failed["error"]["message"]
    code, said, _ = ask(server, "approve", NOBODY, NOBODY.replace("404", "405"), "--group", "Pilot")
    assert (code, said["updates"], len(said["refused"])) == (1, 0, 2)


def test_declines_stand_against_a_filter_and_what_takes_them_back_says_so(server):
    tool = catalog()[5]
    assert ask(server, "decline", tool.id)[0] == 0
    words = ["approve", "--filter", "classification=cli classification", "--group", "Pilot"]
    code, said, _ = ask(server, *words)
    assert (code, said["declines_taken_back"]) == (0, [])
    assert ask(server, "updates", "show", tool.id)[1]["approval"] == "declined"
    code, said, _ = ask(server, *words, "--filter", "approval=declined")
    assert (code, [one.lower() for one in said["declines_taken_back"]]) == (0, [tool.id.lower()])


def test_an_empty_or_a_repeated_argument_changes_nothing(server):
    fix = catalog()[4]
    assert ask(server, "approve", fix.id, "--group", "Pilot")[0] == 0
    for words in (
        ["approve", "--filter", "product=", "--group", "Pilot"],
        ["approve", "--filter", "search=nothing", "--filter", "search=fix", "--group", "Pilot"],
        ["unapprove", fix.id, "--group", ""],
        ["decline", ""],
    ):
        code, said, failed = ask(server, *words)
        assert (code, said) == (2, None) and "nothing was done" in failed["error"]["message"], words
    assert len(ask(server, "updates", "show", fix.id)[1]["approvals"]) == 1


@pytest.mark.parametrize(
    "words", [["updates", "list", "--limit", "-1"], ["rules", "remove", "x"], ["aprove"], []], ids=" ".join
)
def test_words_that_are_no_command_are_refused_in_json(words):
    code, said, failed = ask(None, *words)
    assert (code, said) == (2, None) and failed["error"]["message"]


def test_a_repair_is_one_value_and_is_not_asked_about(server, tmp_path):
    words = ["repair", "approvals", catalog()[4].id, "--keep", "--journal", tmp_path / "journal.json"]
    code, said, failed = ask(server, *words)
    assert code == 1 and len(said["plan"]) == 2 and "--yes" in failed["error"]["message"]
    code, said, failed = ask(server, *words, "--yes")
    assert (code, failed) == (0, None) and len(said["plan"]) == 2 and said["log"]


def test_logs_that_cannot_be_read_are_named_in_json(tmp_path):
    code, said, failed = ask(None, "doctor", tmp_path / "nothing.log")
    assert (code, said) == (1, None) and "nothing.log" in failed["error"]["message"]
    code, said, notes = ask(None, "doctor", SAMPLES / "P-30" / "positive-japanese", tmp_path / "nothing.log")
    assert code == 0 and said and "nothing.log" in notes["notes"][0]["file"]


def test_a_computer_is_found_by_its_name(server):
    computer = Computer(server.base).handshake()
    assert ask(server, "computers", "show", computer.dns_name.upper())[1]["id"] == computer.id.lower()
    assert ask(server, "computers", "move", computer.dns_name, "--group", "Pilot")[0] == 0
    assert ask(server, "computers", "show", computer.id)[1]["groups"] == ["Pilot"]
