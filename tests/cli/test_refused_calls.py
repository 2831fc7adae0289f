"""A call of the admin API that is refused leaves a line that says who asked, for what, and what was wrong (known
problem P-12: on WSUS a 401 in the caller's log, and nothing on the server that explains it)."""

import json
import time

import pytest

from conformance.wire.http import exchange
from tests.cli.test_commands import as_json
from tests.support.server import ServerUnderTest

PRESENTED = [
    ({}, "no token"),
    ({"Authorization": "Bearer not-the-token"}, "wrong token"),
    ({"Authorization": "Basic dXNlcjpwYXNzd29yZA=="}, "no token: another kind of authorization"),
]


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_refused_call_is_logged_with_who_asked_for_what_and_what_was_wrong(form, monkeypatch):
    monkeypatch.setenv("SLUICEGATE_LOG_FORMAT", form)
    with ServerUnderTest() as server:
        token = (server.data / "admin-token").read_text().strip()
        ids = []
        for headers, _ in PRESENTED:
            answer = exchange(server.base, "GET", "/api/v1/status", headers)
            assert answer.status == 401
            ids.append(json.loads(answer.body)["error"]["id"])
        found = as_json(server, "log", "find", ids[1])
        assert "wrong token" in str(found), found
        server.stop()
        for log in (server.data / "SoftwareDistribution.log", server.log):
            said = log.read_text(encoding="utf-8")
            for id, (_, wrong) in zip(ids, PRESENTED):
                [line] = [line for line in said.splitlines() if id in line]
                # Who, what, why, and what would have been enough.
                for part in ("127.0.0.1:", "GET", "status", wrong, "admin-token"):
                    assert part in line, (part, line)
            for secret in (token, "not-the-token", "dXNlcjpwYXNzd29yZA"):
                assert secret not in said, "a secret is in the log"


def test_what_a_server_asks_itself_and_must_refuse_is_no_line_of_its_log():
    """It looks at its own endpoints a second after its start, the admin API among them; a line about that would look
    like somebody who tries the door, each hour. Nobody else knows the mark that its own questions carry."""
    with ServerUnderTest() as server:
        until = time.monotonic() + 60
        while (tested := json.loads(exchange(server.base, "GET", "/healthz").body)["self_test"]) is None:
            assert time.monotonic() < until, "no self-test after the start"
            time.sleep(0.05)
        assert "Admin API" in [endpoint["name"] for endpoint in tested["endpoints"] if endpoint["fine"]]
        assert exchange(server.base, "GET", "/api/v1/status", {"X-Sluicegate-Own": "0" * 36}).status == 401
        server.stop()
        log = (server.data / "SoftwareDistribution.log").read_text(encoding="utf-8")
        assert log.count("admin request refused") == 1, log
