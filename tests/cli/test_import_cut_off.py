"""`import --content` against a server that ends while files are sent: killed for good, or back a moment later."""

import json
import subprocess
import time

import pytest

from tests.cli.test_commands import as_json, run
from tests.support.documents import Payload, category, software
from tests.support.places import binary
from tests.support.server import ServerUnderTest

FILES = [Payload(f"cut {n}.exe", f"{n} ".encode() * 4_000) for n in range(250)]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A package of many updates, one of them declined, with their files."""
    folder = tmp_path_factory.mktemp("package")
    product = category("cut product", "Product")
    kind = category("cut classification", "UpdateClassification")
    sorted_under = [[product.id], [kind.id]]
    updates = [software(file.name, [], sorted_under, deployable=True, files=[file]) for file in FILES]
    with ServerUnderTest() as origin:
        origin.admin.import_all({f"{one.name}.xml": one.bytes() for one in [product, kind, *updates]})
        for file in FILES:
            origin.admin.add_content(file.name, file.data)
        run(origin, "decline", updates[0].id)
        run(origin, "export", str(folder / "catalog.cab"), "--content", str(folder / "content"))
    return folder


@pytest.fixture
def server():
    with ServerUnderTest() as started:
        started.listen = started.base.removeprefix("http://")  # It comes back where it was.
        yield started


def kill_on_the_way(server, package, *words):
    """Begins an import and kills the server when some of the files are there."""
    command = [str(binary()), "import", str(package / "catalog.cab"), "--content", str(package / "content"), *words]
    importing = subprocess.Popen(
        [*command, "--data", str(server.data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 120
    while len(list((server.data / "Content").glob("*/*.exe"))) < 30:
        assert time.monotonic() < until and importing.poll() is None, importing.communicate()
    server.process.kill()
    server.process.wait()
    return importing


@pytest.mark.parametrize("form", ["", "--json"])
def test_what_was_done_before_the_server_ended_is_said_and_what_is_not_sent(server, package, form):
    importing = kill_on_the_way(server, package, *([form] if form else []))
    said, error = importing.communicate(timeout=120)
    assert importing.returncode == 1
    assert "not sent; once the server runs, repeat the same `import`" in error and "cannot reach the server" in error
    if form:
        report = json.loads(said)
        sent, unsent = report["content"]["sent"], report["content"]["unsent"]
        assert report["catalog"]["added"] == len(FILES) + 2 and report["decisions"]["declined"] == 1
        assert report["content"]["refused"] == [] and 0 < sent < len(FILES) and sent + unsent == len(FILES)
        assert f"{unsent} files were not sent" in json.loads(error)["error"]["message"]
    else:
        assert "Added" in said and "Decisions" in said and " sent (" in said and "were not sent" in said, said
        assert "was refused" not in said and "were refused" not in said + error
    server.start()
    again = as_json(server, "import", str(package / "catalog.cab"), "--content", str(package / "content"))
    assert (again["catalog"]["added"], again["content"]["unsent"], again["content"]["refused"]) == (0, 0, [])
    assert again["content"]["sent"] + again["content"]["already_held"] == len(FILES)


def test_a_server_that_is_back_a_moment_later_gets_all_files(server, package):
    importing = kill_on_the_way(server, package, "--json")
    server.start()
    said, error = importing.communicate(timeout=120)
    assert (importing.returncode, error) == (0, "")
    content = json.loads(said)["content"]
    assert (content["sent"], content["unsent"], content["refused"]) == (len(FILES), 0, [])
    assert as_json(server, "import", str(package / "catalog.cab"))["files_wanted"]["files"] == 0
