"""What goes on failing is told of for as long as it does, whatever else of the upstream works: through the real command
line, with a relay that disturbs one part of the way."""

import json
import re
import time

from .relay import Relay
from .shelf import Shelf


def kinds(node) -> set[str]:
    return {alert["kind"] for alert in node.shown("alerts", "list")["alerts"]}


def soon(looked, wanted, seconds: float = 20):
    """What is done after a run or a start is done a moment later."""
    until = time.monotonic() + seconds
    while (found := looked()) != wanted and time.monotonic() < until:
        time.sleep(0.1)
    assert found == wanted


def failed_checks(node, code: int) -> dict[str, dict]:
    said = node.cli("diagnose", "--json", code=code)
    return {check["check"]: check for check in json.loads(said)["checks"] if check["result"] == "failed"}


def test_a_synchronization_that_fails_behind_the_handshake_stays_an_alert_until_one_comes_past_it(tree):
    shelf, top = Shelf("behind", updates=3), tree.node("top")
    shelf.stock(top)
    with Relay(lambda: top.base) as relay:
        # A limit of a proxy on the way, say.
        relay.refuse = lambda name, _path: 413 if name == "GetUpdateData" else None
        below = tree.node("below").below(relay.base)
        assert below.try_sync()["outcome"] == "failed"
        soon(lambda: kinds(below), {"upstream-failing"})
        # A look at the upstream follows the start, and each hour.
        below.stop()
        below.start()
        relay.forget()
        soon(lambda: relay.counts()["GetConfigData"] > 0, True)
        time.sleep(1)
        assert kinds(below) == {"upstream-failing"}
        check = failed_checks(below, 27)
        assert list(check) == ["last-run"], check
        assert "phase categories" in check["last-run"]["found"] and "413" in check["last-run"]["found"], check
        assert kinds(below) == {"upstream-failing"}, "diagnosing takes nothing away"
        relay.refuse = lambda _name, _path: None
        below.sync()
        soon(lambda: kinds(below), set())
        below.cli("diagnose")


def test_an_upstream_that_is_back_ends_the_alert_about_it_before_the_next_synchronization(tree):
    top = tree.node("top")
    Shelf("back", updates=1).stock(top)
    with Relay(lambda: top.base) as relay:
        relay.refuse = lambda name, _path: 403 if name == "GetCookie" else None
        below = tree.node("below")
        below.cli("upstream", "set", relay.base, "--no-probe")
        assert below.try_sync()["outcome"] == "failed"
        soon(lambda: kinds(below), {"upstream-failing"})
        assert list(failed_checks(below, 17)) == ["authorization", "last-run"]
        relay.refuse = lambda _name, _path: None
        below.cli("diagnose")
        assert kinds(below) == set()


def spoilt(name: str, body: bytes) -> bytes:
    return body.replace(b"</GetUpdateDataResult>", b"</Oops>") if name == "GetUpdateData" else body


def test_revisions_that_come_damaged_are_told_of_until_they_come(tree):
    shelf, top = Shelf("damaged", updates=3), tree.node("top")
    shelf.stock(top)
    with Relay(lambda: top.base) as relay:
        relay.rewrite = spoilt
        below = tree.node("below").below(relay.base)
        first = below.sync()
        held = first["counts"]["quarantined"]
        assert held > 0 and first["counts"]["new"] == 0, first
        soon(lambda: kinds(below), {"revisions-failing"})
        again = below.sync()
        for run in (first, again):
            assert f"{held} revisions" in run["warning"] and "--retry-failed" in run["warning"], run
        assert again["counts"]["quarantined"] == 0, "their time has not come"
        status = below.shown("sync", "status")["missing_revisions"]
        assert status["revisions"] == held and status["since"] < status["again_at"], status
        said = " ".join(below.cli("sync", "status").replace("|", " ").split())
        assert status["text"] in said and "--retry-failed" in said
        assert said.count("since they came damaged or") == 1, "it is said once"
        check = failed_checks(below, 26)["revisions"]
        assert f"{held} revisions" in check["found"] and "--retry-failed" in check["remedy"], check
        relay.rewrite = lambda _name, body: body
        below.cli("sync", "now", "--wait", "--retry-failed")
        soon(lambda: kinds(below), set())
        below.sync()
        assert below.sync()["warning"] is None
        assert set(below.rows()) == set(top.rows())
        assert below.shown("sync", "status")["missing_revisions"] is None
        below.cli("diagnose")


def test_what_waits_for_a_missing_prerequisite_is_told_of_with_it(tree):
    """The document of a detectoid does not come: all that need it do not enter either."""
    shelf, top = Shelf("needed", updates=3), tree.node("top")
    shelf.stock(top)
    top.put(*(shelf.fix(f"more {n}") for n in range(100)))
    gone = shelf.present.id.lower().encode()

    def without(name: str, body: bytes) -> bytes:
        if name != "GetUpdateData":
            return body
        parts = re.split(rb"(?s)(<ServerSyncUpdateData>.*?</ServerSyncUpdateData>)", body)
        named = re.compile(rb"(?i)<UpdateID>" + gone)
        return b"".join(p for p in parts if not (p.startswith(b"<ServerSyncUpdateData>") and named.search(p)))

    with Relay(lambda: top.base) as relay:
        relay.rewrite = without
        below = tree.node("below").below(relay.base)
        below.cli("sync", "content", "never")
        run = below.sync()
        waiting = len(top.rows()) - len(below.rows())
        assert waiting > 100
        held = below.admin.call("GET", "catalog/quarantine")["quarantine"]
        count = sum(1 for one in held if one["waits"])
        said = f"1 revision that the upstream lists is missing since {run['started'][:10]}"
        assert said in run["warning"] and f"and {count} that need it wait in quarantine" in run["warning"], run
        status = below.shown("sync", "status")["missing_revisions"]
        assert (status["revisions"], status["waiting"]) == (1, count), status
        assert f"and {count} that need it" in below.cli("sync", "status")
        assert f"and {count} that need it" in failed_checks(below, 26)["revisions"]["found"]
        # So much is no trifle: after the first run already.
        soon(lambda: kinds(below), {"revisions-failing"})
        relay.rewrite = lambda _name, body: body
        below.cli("sync", "now", "--wait", "--retry-failed")
        soon(lambda: kinds(below), set())
        assert below.shown("sync", "status")["missing_revisions"] is None


def test_an_upstream_that_cannot_be_told_is_named_as_that(tree):
    shelf, top = Shelf("untold", updates=1), tree.node("top")
    shelf.stock(top)
    with Relay(lambda: top.base) as relay:
        relay.refuse = lambda _name, path: 404 if "reporting" in path.lower() else None
        below = tree.node("below").below(relay.base)
        said = below.sync()["warning"]
        assert said.startswith("the upstream was not told of this server and its computers"), said
        assert "ReportingWebService" in said and "nothing at this address (404)" in said, said
        assert "check the upstream's address" not in said and "see to this one" in said, said
        assert list(failed_checks(below, 28)) == ["rollup"], "what is so is said at once"
        assert "rollup-failing" not in kinds(below), "once may pass"
        again = below.sync()
        assert again["outcome"] == "succeeded" and again["warning"] == said, again
        soon(lambda: kinds(below), {"rollup-failing"})
        below.stop()
        below.start()
        check = failed_checks(below, 28)["rollup"]
        assert "nothing at this address (404)" in check["found"] and "so since " in check["found"], check
        relay.refuse = lambda _name, _path: None
        assert below.sync()["warning"] is None
        soon(lambda: kinds(below), set())
        below.cli("diagnose")
