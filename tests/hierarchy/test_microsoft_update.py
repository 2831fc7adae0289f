"""A top like Microsoft Update: catalog only, over TLS, files on another host, no service that takes reports and none
that gives decisions. Below it an autonomous server, a replica, and a computer."""

import ssl
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.places import binary

from . import programs
from .leaf import FAILED, leaf, lists, reports, told
from .relay import CLASSES, Relay
from .shelf import Shelf


class Files:
    """The host that files come from, by the name of each."""

    def __init__(self):
        self.held: dict[str, bytes] = {}
        self.asked: list[str] = []
        files = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                files.asked.append(self.path)
                data = files.held.get(self.path)
                self.send_response(404 if data is None else 200)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(data or b"")

            do_HEAD = do_GET

            def log_message(self, *_words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def place(self, file) -> str:
        return f"/d/msdownload/update/{file.sha1.hex()}.cab"

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Top:
    """What a server that is told of Microsoft Update sees. The catalog is one of ours, behind a relay."""

    def __init__(self, tree, shelf: Shelf, folder: Path):
        self.catalog, self.files, self.ca = tree.node("catalog"), Files(), programs.authority(folder)
        self.catalog.put(*shelf.all)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.relay = Relay(lambda: self.catalog.base, tls)
        self.relay.rewrite = self.rewritten
        self.relay.refuse = self.refused
        addresses = []
        for update in shelf.updates:
            for file in [*update.files, *([update.eula] if update.eula else [])]:
                self.files.held[self.files.place(file)] = file.data
                addresses.append([file.sha1.hex(), self.files.base + self.files.place(file)])
        self.catalog.admin.call("POST", "import/addresses", {"files": addresses})

    @staticmethod
    def rewritten(name: str, body: bytes) -> bytes:
        if name != "GetConfigData":
            return body
        assert b"<CatalogOnlySync>false<" in body
        return body.replace(b"<CatalogOnlySync>false<", b"<CatalogOnlySync>true<")

    @staticmethod
    def refused(name: str, path: str) -> int | None:
        here = path.startswith(("/ServerSyncWebService/", "/DssAuthWebService/"))
        return None if here and name not in ("GetDeployments", "DownloadFiles") else 404

    def __enter__(self) -> "Top":
        self.relay.__enter__()
        return self

    def __exit__(self, *_exception) -> None:
        self.relay.__exit__()
        self.files.end()


@pytest.fixture
def world(tree):
    absent = programs.missing("openssl")
    if absent:
        pytest.skip("not installed: openssl")
    shelf = Shelf("microsoft", updates=4)
    with Top(tree, shelf, Path(tempfile.mkdtemp(prefix="sluicegate-mu-"))) as it:
        yield shelf, it


def below_microsoft(tree, it: Top, name: str = "top"):
    """A server whose upstream is Microsoft Update."""
    node = tree.node(name, arguments=["--microsoft-update-mirror", it.relay.base])
    node.cli("upstream", "set", "microsoft-update", "--autonomous", "--ca", str(it.ca))
    node.cli("sync", "content", "approved")
    return node


def test_catalog_and_files_come_from_microsoft_decisions_go_down_and_reports_up_to_the_first_own_server(tree, world):
    shelf, it = world
    top = below_microsoft(tree, it)
    replica = tree.node("replica").below(top, "--replica")
    replica.cli("sync", "content", "approved")
    fix, other = shelf.fixes[:2]
    run = top.sync()
    assert run["counts"]["new"] == len(shelf.all) and run["upstream"] == "microsoft-update" and not run["warning"]
    assert not it.files.asked, "nothing is approved yet"
    top.admin.approve(fix.id, "All Computers")
    assert top.sync()["counts"]["files"] == 1
    assert it.files.asked == [it.files.place(fix.files[0])] and top.holds(fix)
    replica.sync()
    assert replica.holds(fix), "from its parent, which keeps files"
    assert len(it.files.asked) == 1
    computer = leaf(replica)
    assert told(computer, fix) == (100, "Install")
    lists(computer, needed=[fix, other])
    reports(computer, FAILED, fix, -2147467259)
    replica.sync()
    top.sync()
    rolled_up = top.admin.call("GET", f"downstream/computers/{computer.id}")["updates"]
    assert {one["update_id"]: one["state"] for one in rolled_up} == {fix.id: "failed", other.id: "needed"}
    asked = it.relay.counts()
    assert not it.relay.files(), "no files from the service itself"
    assert not any(asked[name] for name in (*CLASSES["rollup"], "GetDeployments", "DownloadFiles")), asked
    assert asked["GetUpdateData"] > 0
    log = top.log.read_text(errors="replace")
    begins = next(line for line in log.splitlines() if "synchronization begins" in line)
    for said in ("microsoft-update", it.relay.base, "autonomous"):
        assert said in begins, begins


def test_a_file_that_its_host_does_not_have_yet_comes_with_a_later_run_and_nobody_is_asked_for_it(tree, world):
    shelf, it = world
    top = below_microsoft(tree, it)
    top.sync()
    fix = shelf.fixes[0]
    place = it.files.place(fix.files[0])
    data = it.files.held.pop(place)
    top.admin.approve(fix.id, "All Computers")
    assert top.sync()["counts"]["files"] == 0 and not top.holds(fix)
    assert not it.relay.counts()["DownloadFiles"]
    it.files.held[place] = data
    assert top.sync()["counts"]["files"] == 1 and top.holds(fix)


def test_a_server_below_fetches_files_from_microsoft_when_it_is_told_to(tree, world):
    shelf, it = world
    top = below_microsoft(tree, it)
    fix = shelf.fixes[0]
    top.sync()
    top.admin.approve(fix.id, "All Computers")
    below = tree.node("branch").below(top, "--replica")
    below.admin.call("PUT", "upstream", {"files_from_microsoft": True})
    below.cli("sync", "content", "approved")
    below.sync()
    # The parent has not fetched it, and is not asked for it.
    assert it.files.asked == [it.files.place(fix.files[0])]
    assert below.holds(fix) and not top.holds(fix)


@pytest.mark.parametrize("mirror", ["http://mirror.example", "mirror.example"])
def test_a_mirror_is_asked_over_tls_or_lies_on_this_machine(mirror):
    with tempfile.TemporaryDirectory() as data:
        command = [str(binary()), "serve", "--data", data, "--listen", "127.0.0.1:0"]
        command += ["--microsoft-update-mirror", mirror]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode != 0 and "https" in ran.stderr, ran.stderr
