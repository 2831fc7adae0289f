"""A call of the admin API that is refused leaves a line that says who asked, for what, and what was wrong (known
problem P-12: on WSUS a 401 in the caller's log, and nothing on the server that explains it)."""

import json

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
