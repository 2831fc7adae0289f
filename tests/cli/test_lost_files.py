"""Content files that vanish from the disk of a running server: what notices, and what mends."""

import json
import subprocess
import time

import pytest

from conformance.wire.http import exchange
from tests.cli.test_commands import FILE, as_json, catalog, run
from tests.support.places import binary
from tests.support.server import ServerUnderTest


@pytest.fixture
def holding(tmp_path):
    """A server that holds one file, where it lies, and a good one to give."""
    (tmp_path / "documents").mkdir()
    for number, document in enumerate(catalog()):
        (tmp_path / "documents" / f"{number}.xml").write_bytes(document.bytes())
    good = tmp_path / "content" / FILE.name
    good.parent.mkdir()
    good.write_bytes(FILE.data)
    with ServerUnderTest() as running:
        run(running, "catalog", "import", str(tmp_path / "documents"))
        assert "taken" in run(running, "content", "add", str(good))
        # It looks at a file too, and only what is tried here is to notice.
        deadline = time.monotonic() + 60
        while not json.loads(exchange(running.base, "GET", "/healthz").raw)["self_test"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        [kept] = (running.data / "Content").glob("??/*")
        yield running, kept, good


def spoil(kept, how):
    kept.unlink() if how == "gone" else kept.write_bytes(FILE.data[:10])


def checked(server, code, *words):
    command = [str(binary()), "check", *words, "--data", str(server.data)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.mark.parametrize("how, said", [("gone", "is gone from the disk"), ("cut", "has 10 bytes instead of")])
def test_a_check_of_a_running_server_sees_it_and_its_repair_makes_the_file_wanted(holding, how, said):
    server, kept, good = holding
    spoil(kept, how)
    for words, code in (((), 4), (("--content",), 4), (("--repair",), 3)):
        found = checked(server, code, *words)
        assert said in found and "it is removed" in found and "backup" not in found, found
    run(server, "check")
    assert as_json(server, "status")["content"]["files"] == 0
    run(server, "content", "add", str(good))
    assert kept.read_bytes() == FILE.data


@pytest.mark.parametrize("how, said", [("gone", "is gone from the disk"), ("cut", "has 10 bytes instead of")])
def test_a_good_file_that_is_given_takes_its_place(holding, how, said):
    server, kept, good = holding
    spoil(kept, how)
    assert f"in the place of one that {said}" in " ".join(run(server, "content", "add", str(good)).split())
    assert kept.read_bytes() == FILE.data
    assert "nothing, it is held" in " ".join(run(server, "content", "add", str(good)).split())


def test_an_import_sends_what_the_disk_of_the_server_lost(holding, tmp_path):
    server, kept, _good = holding
    package, content = tmp_path / "p.xml.gz", tmp_path / "copied"
    run(server, "export", str(package), "--content", str(content))
    for how in ("gone", "cut"):
        spoil(kept, how)
        said = run(server, "import", str(package), "--content", str(content))
        assert "Files: 1 sent" in said and "1 file was held and gone from the server's disk" in said, said
        assert kept.read_bytes() == FILE.data
    assert "Files: 0 sent" in run(server, "import", str(package), "--content", str(content))
