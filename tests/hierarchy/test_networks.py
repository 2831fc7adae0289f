"""The way to the upstream as administrators know it: proxies that want a password, an authority of one's own, and
every failure with its code and a sentence that says what to do. Through the real command line."""

import json
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.bench import payload

from . import programs
from .leaf import told
from .node import Node
from .relay import Relay
from .shelf import Shelf

PROXIES = ["open", "basic", "ntlm"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """An upstream with a catalog, and nginx with TLS in front of it."""
    absent = programs.missing("squid", "nginx", "openssl")
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)}")
    folder = Path(tempfile.mkdtemp(prefix="sluicegate-net-"))
    folder.chmod(0o755)
    shelf = Shelf("net", updates=3)
    with Node("top") as top:
        shelf.stock(top)
        top.admin.approve(shelf.fixes[0].id, "All Computers")
        ca = programs.authority(folder)
        front = programs.nginx(folder, top.base)
        running = [front]
        proxies = {}
        for kind in PROXIES:
            proxies[kind] = programs.squid(folder, kind)
            running.append(proxies[kind])
        (folder / "password").write_text("good\n")
        (folder / "wrong").write_text("hunter2\n")
        try:
            yield Site(shelf, top, ca, f"https://localhost:{front.port}", proxies, folder)
        finally:
            for program in running:
                program.end()


class Site:
    def __init__(self, shelf, top, ca, tls, proxies, folder):
        self.shelf, self.top, self.ca, self.tls, self.folder = shelf, top, ca, tls, folder
        self.plain = top.base.replace("127.0.0.1", "localhost")
        self.proxies = {kind: f"http://127.0.0.1:{program.port}" for kind, program in proxies.items()}

    def credentials(self, file: str = "password") -> list[str]:
        return ["--proxy-user", "sync", "--proxy-password-file", str(self.folder / file)]


@pytest.mark.parametrize("kind", PROXIES)
@pytest.mark.parametrize("secure", [False, True], ids=["http", "tls"])
def test_a_replica_synchronizes_catalog_decisions_and_files_through_squid(site, tree, kind, secure):
    below = tree.node("below")
    options = ["--replica", "--proxy", site.proxies[kind], "--tls-proxy", site.proxies[kind]]
    options += site.credentials() if kind != "open" else []
    options += ["--ca", str(site.ca)] if secure else []
    said = below.cli("upstream", "set", site.tls if secure else site.plain, *options)
    assert "Reached" in said
    assert "good" not in below.cli("upstream", "show", "--json").replace('"good"', ""), "passwords are not shown"
    below.cli("sync", "content", "approved")
    below.sync()
    fix = site.shelf.fixes[0]
    assert below.decisions(fix) == site.top.decisions(fix) and below.holds(fix)
    assert told(below, fix) == (100, "Install")


@pytest.mark.parametrize("secure", [False, True], ids=["http", "tls"])
def test_each_kind_of_address_takes_its_own_proxy(site, tree, secure):
    """The proxy for the other kind is dead: were it asked, nothing would come through."""
    dead, alive = f"http://127.0.0.1:{programs.free_port()}", site.proxies["basic"]
    below = tree.node("below")
    proxies = ["--proxy", dead, "--tls-proxy", alive] if secure else ["--proxy", alive, "--tls-proxy", dead]
    certificates = ["--ca", str(site.ca)] if secure else []
    below.cli("upstream", "set", site.tls if secure else site.plain, *proxies, *site.credentials(), *certificates)
    below.cli("sync", "content", "all")
    below.sync()
    assert below.holds(site.shelf.fixes[0])
    diagnosed = {check["check"]: check for check in below.shown("diagnose")["checks"]}
    assert diagnosed["proxy"]["result"] == "passed" and alive.split("//")[1] in diagnosed["proxy"]["found"], diagnosed
    # The other way round it fails at the dead one, and says that it is the proxy.
    swapped = ["--proxy", proxies[3], "--tls-proxy", proxies[1]]
    said = below.cli("upstream", "set", site.tls if secure else site.plain, *swapped, code=1)
    assert "nothing was saved" in said and f"the proxy {dead.split('//')[1]} refused" in said, said


def test_a_host_that_is_exempt_is_reached_without_the_dead_proxy(site, tree):
    below = tree.node("below")
    dead = f"http://127.0.0.1:{programs.free_port()}"
    below.cli("upstream", "set", site.plain, "--proxy", dead, code=1)
    below.cli(
        "upstream", "set", site.plain, "--proxy", dead, "--proxy-bypass", "elsewhere.example", "--proxy-bypass",
        "localhost", "--account-name", "exempt.example.net", "--files-from-microsoft", "false",
    )
    shown = below.shown("upstream", "show")
    assert shown["proxy_bypass"] == ["elsewhere.example", "localhost"] and shown["files_from_microsoft"] is False
    below.sync()
    assert "exempt.example.net" in {server["name"] for server in site.top.shown("downstream", "list")["servers"]}
    said = below.cli("upstream", "set", site.plain, "--proxy-bypass", "none", "--account-name", "none", code=1)
    assert "nothing was saved" in said


class Serving:
    """A server of a test, on a port of its own until it is ended."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Guard(Serving):
    """Stands before a server and answers 401 below one path, as a web server does whose folder is closed."""

    def __init__(self, behind: str, closed: str):
        relay = Relay(lambda: behind)
        relay.server.server_close()  # Only its way of passing on is used.

        class Handler(relay.server.RequestHandlerClass):
            def do_POST(self):
                if closed.lower() in self.path.lower():
                    self.rfile.read(int(self.headers.get("Content-Length") or 0))
                    self.send_response_only(401)
                    self.send_header("WWW-Authenticate", "Negotiate")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                else:
                    super().do_POST()

            do_GET = do_POST
            do_HEAD = do_POST

        super().__init__(Handler)


def test_an_upstream_whose_authorization_is_closed_is_named_as_the_one_at_fault(site, tree):
    below = tree.node("below")
    guard = Guard(site.top.base, "/DssAuthWebService")
    try:
        below.cli("upstream", "set", guard.base, "--no-probe")
        run = below.try_sync()
        assert (run["error_code"], run["problem"]) == ("DssAuthenticationError/Unauthorized", "P-14"), run
        assert f"{guard.base}/DssAuthWebService/" in run["error"] and "not with this one" in run["error"], run
        assert "P-14" in below.cli("sync", "history")
        diagnosed = json.loads(below.cli("diagnose", "--json", code=17))
        assert diagnosed["first_failure"] == "authorization", diagnosed
        assert {alert["kind"] for alert in below.shown("alerts", "list")["alerts"]} == {"upstream-failing"}
        below.stop()
        assert "P-14" in below.log.read_text(errors="replace")
    finally:
        guard.end()


def test_a_wrong_port_is_answered_with_the_one_that_answers(tree):
    top, below = Node("top"), tree.node("below")
    # An address of this machine that nobody else uses.
    top.listen = "127.83.17.5:8530"
    tree.nodes.append(top)
    top.start()
    said = below.cli("upstream", "set", "http://127.83.17.5:8531", code=1)
    assert "configured: http://127.83.17.5:8531; answers: http://127.83.17.5:8530" in said, said
    below.cli("upstream", "set", "http://127.83.17.5:8530")


def test_diagnosing_names_the_proxy_that_wants_a_password(site, tree):
    below = tree.node("below")
    below.cli("upstream", "set", site.plain, "--proxy", site.proxies["basic"], *site.credentials("wrong"), "--no-probe",
              "--proxy-password-expires", "2020-01-01")
    said = below.cli("diagnose", code=14)
    assert "Begin with" not in said and "P-03" in said and "hunter2" not in said, said
    kinds = {alert["kind"] for alert in below.shown("alerts", "list")["alerts"]}
    assert kinds == {"upstream-failing", "proxy-password", "proxy-password-expires"}, kinds
    below.cli("upstream", "set", site.plain, *site.credentials())
    assert below.shown("alerts", "list")["alerts"] == [], "what is over is off the list"
    below.cli("diagnose")


def test_the_password_for_the_proxy_is_in_no_log(site, tree):
    below = tree.node("below")
    words = ["--proxy", site.proxies["basic"], *site.credentials("wrong")]
    said = below.cli("upstream", "set", site.plain, *words, code=1)
    assert "nothing was saved" in said and "hunter2" not in said
    below.cli("upstream", "set", site.plain, *words, "--no-probe")
    run = below.try_sync()
    assert run["error_code"] == "UssCommunicationError/ProxyAuthenticationRequired", run
    below.stop()
    for log in (below.log.read_text(errors="replace"), str(run)):
        assert "hunter2" not in log
        assert "Basic c3luYzpodW50ZXIy" not in log


class Answering(Serving):
    """A server that gives every request the same answer."""

    def __init__(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, *_words):
                pass

        super().__init__(Handler)


def test_every_failure_has_its_code_and_says_what_to_do(site, tree):
    """Each on a server of its own, all at once: some are tried five times before they are believed."""
    page = b"<html><body>Please log in to the network</body></html>"
    servers = {
        "401": Answering(401, headers={"WWW-Authenticate": "NTLM"}),
        "403": Answering(403),
        "404": Answering(404),
        "503": Answering(503),
        "portal": Answering(200, page, {"Content-Type": "text/html"}),
    }
    closed = programs.free_port()
    with Relay(lambda: site.top.base) as relay:
        relay.rewrite = lambda name, body: (
            body.replace(b"<ProtocolVersion>1.", b"<ProtocolVersion>3.") if name == "GetConfigData" else body
        )
        failures = [
            ("NameNotResolved", "http://no-such-host.invalid:8530", [], "name"),
            ("ConnectionRefused", f"http://127.0.0.1:{closed}", [], "running"),
            ("ConnectionRefused", site.plain, ["--proxy", f"http://127.0.0.1:{closed}"], "proxy"),
            ("ProxyAuthenticationRequired", site.plain, ["--proxy", site.proxies["basic"]], "user and password"),
            ("ProxyAuthenticationRequired", site.plain, ["--proxy", site.proxies["ntlm"]], "NTLM"),
            ("CertificateNotTrusted", site.tls, [], "--ca"),
            ("CertificateWrongName", site.tls.replace("localhost", "127.0.0.1"), ["--ca", str(site.ca)], "localhost"),
            ("Unauthorized", servers["401"].base, [], "401"),
            ("Forbidden", servers["403"].base, [], "403"),
            ("NotFound", servers["404"].base, [], "404"),
            ("ServerBusy", servers["503"].base, [], "later"),
            ("NotSoap", servers["portal"].base, [], "upstream"),
            ("IncompatibleProtocolVersion", relay.base, [], "version"),
        ]
        nodes = []
        for number, (_, base, options, _) in enumerate(failures):
            node = tree.node(f"below-{number}")
            node.cli("upstream", "set", base, "--no-probe", *options)
            node.started = node.admin.call("POST", "sync/now", {})["run"]
            nodes.append(node)
        wrong = []
        for node, (code, base, _, word) in zip(nodes, failures, strict=True):
            node.ended(node.started)
            status = node.shown("sync", "status")
            last = status["last_run"]
            if last["outcome"] != "failed" or not str(last["error_code"]).endswith("/" + code):
                wrong.append(f"{code} at {base}: {last['error_code']}: {last['error']}")
            elif word.lower() not in last["error"].lower():
                wrong.append(f"{code} at {base}: `{word}` is not in: {last['error']}")
            elif last["error_code"].split("/")[0] not in ("UssCommunicationError", "DssAuthenticationError"):
                wrong.append(f"{code} at {base}: {last['error_code']}")
        for server in servers.values():
            server.end()
        assert not wrong, "\n".join(wrong)


def test_a_full_disk_stops_a_run_with_its_code_and_the_next_goes_on(site, tree):
    place = Path(tempfile.mkdtemp(prefix="sluicegate-small-"))
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mount.returncode:
        place.rmdir()
        pytest.skip(f"no right to mount a small file system here: {mount.stderr.strip()}")
    try:
        large = site.shelf.fix("large", files=[payload("net large.cab", 60 << 20)])
        site.top.put(large)
        site.top.put_files(large)
        data = place / "data"
        data.mkdir()
        below = tree.node("small", data=data)
        with Relay(lambda: site.top.base) as relay:
            below.below(relay.base)
            below.cli("sync", "content", "all")
            run = below.try_sync()
            assert run["outcome"] == "failed" and run["error_code"] == "LocalError/DiskFull", run
            assert "are kept free" in run["error"] and "cleanup run" in run["error"], run
            assert relay.files()[large.files[0].path] == 0, "what will not fit is not begun"
            assert told(below, site.shelf.fixes[0]) is not None, "computers are served all the while"
            before = relay.files()
            subprocess.run(["mount", "-o", "remount,size=200m", str(place)], check=True)
            assert below.sync()["counts"]["files"] >= 1
            assert below.holds(large)
            assert relay.counts()["GetUpdateData"] > 0 and not (relay.files() - before).keys() & before.keys()
        below.stop()
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
