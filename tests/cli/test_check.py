"""`sluicegate check` as people call it: over a folder that nobody serves, over one that a server works on, and what
it says and answers when something is damaged."""

import json
import shutil
import sqlite3
import subprocess

import pytest

from tests.cli.test_commands import catalog
from tests.support.places import binary
from tests.support.server import ServerUnderTest

SOUND, FAILED, USAGE, REPAIRED, UNSOUND = 0, 1, 2, 3, 4


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A server that has run: its folder, and whether it still runs."""
    with ServerUnderTest() as running:
        running.admin.import_all({f"{n}.xml": one.bytes() for n, one in enumerate(catalog())})
        yield running


@pytest.fixture(scope="module")
def stopped(served, tmp_path_factory):
    """The folder after the server has ended."""
    served.stop()
    return served.data


@pytest.fixture
def folder(stopped, tmp_path):
    """A copy of that folder, to be damaged."""
    return shutil.copytree(stopped, tmp_path / "data")


def check(*words, data):
    command = [str(binary()), "check", *words, "--data", str(data)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return ran.returncode, ran.stdout + ran.stderr


def test_a_server_that_runs_checks_itself_when_its_folder_is_named(served):
    code, said = check(data=served.data)
    assert code == SOUND, said
    assert "Checked 6 revisions" in said and "Nothing is wrong." in said
    code, said = check("--content", "--repair", data=served.data)
    assert code == SOUND, said
    assert served.admin.updates()["total"] == 2, "it serves on"
    ran = subprocess.run(
        [str(binary()), "check", "--server", served.base, "--token-file", str(served.data / "admin-token"), "--json"],
        capture_output=True, text=True, timeout=120, check=False,
    )
    assert ran.returncode == SOUND, ran.stdout + ran.stderr
    report = json.loads(ran.stdout)
    assert (report["sound"], report["revisions"], report["findings"]) == (True, 6, [])


def test_damage_that_a_running_server_can_repair_is_in_service_at_once(served):
    retitle(served.data, "Nobody called it that")
    code, said = check(data=served.data)
    assert code == UNSOUND and "can be repaired" in said, said
    assert check("--repair", data=served.data)[0] == REPAIRED
    assert check(data=served.data)[0] == SOUND


def test_a_folder_that_nobody_serves_is_checked_as_it_lies(folder):
    code, said = check(data=folder)
    assert code == SOUND, said
    assert "Checked 6 revisions" in said


def retitle(data, title):
    """Lets a list say what no document says."""
    with sqlite3.connect(data / "sluicegate.db") as db:
        changed = db.execute("UPDATE listing SET title = ? WHERE kind = 'Software' AND deployable = 1", [title])
        assert changed.rowcount == 2
    db.close()


def test_a_damaged_row_is_named_then_repaired_then_gone(folder):
    retitle(folder, "Nobody called it that")
    code, said = check(data=folder)
    assert code == UNSOUND, said
    assert "can be repaired" in said and "--repair" in said
    code, said = check("--repair", data=folder)
    assert code == REPAIRED, said
    assert "repaired" in said
    code, said = check(data=folder)
    assert code == SOUND, said
    with sqlite3.connect(folder / "sluicegate.db") as db:
        titles = {title for (title,) in db.execute("SELECT title FROM listing WHERE kind = 'Software'")}
    db.close()
    assert "A fix typed by hand" in titles and "Nobody called it that" not in titles


def test_a_damaged_document_is_named_and_left_to_people(folder):
    documents = next(path for path in (folder / "fragments").iterdir() if path.name.startswith("documents"))
    held = bytearray(documents.read_bytes())
    middle = len(held) // 2
    held[middle : middle + 8] = bytes(byte ^ 0xFF for byte in held[middle : middle + 8])
    documents.write_bytes(held)
    for words in [(), ("--repair",)]:
        code, said = check(*words, data=folder)
        assert code == UNSOUND, said
        assert "WRONG" in said, said


def test_what_cannot_be_checked_says_why(tmp_path):
    code, said = check(data=tmp_path / "nothing")
    assert code == FAILED and "nothing" in said, said
    assert check("--no-such-word", data=tmp_path)[0] == USAGE
