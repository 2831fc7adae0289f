"""No secret is ever written where people look: not in logs of either form, not in the audit log, not in what commands
print, also when logins fail, a proxy refuses, and requests carry the secrets in wrong places."""

import base64
import http.server
import json
import os
import subprocess
import threading

import pytest

from conformance.wire.http import exchange
from tests.cli.test_commands import run
from tests.support.places import binary
from tests.support.server import ServerUnderTest

PASSWORD = "zeppelin-marmalade-77"
USER = "CORP\\svc"


class Refusing(http.server.BaseHTTPRequestHandler):
    """A proxy that knows nobody."""

    def refuse(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(self.headers.get("Proxy-Authorization") or "")
        self.send_response(407)
        self.send_header("Proxy-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET = do_CONNECT = refuse

    def log_message(self, *_words):
        pass


@pytest.fixture
def proxy():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    server.seen = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def secrets_of(server, password):
    """Every secret in each form in which it could be written."""
    token = (server.data / "admin-token").read_text().strip()
    key = (server.data / "cookie.key").read_bytes()
    account = f"{USER}:{password}".encode()
    forms = {"the admin token": token, "the proxy password": password}
    for name, secret in {"the admin token": token.encode(), "the proxy's account": account, "the cookie key": key}.items():
        forms[f"{name} in base64"] = base64.b64encode(secret).decode().rstrip("=")
        forms[f"{name} in hexadecimal"] = secret.hex()
    forms["the cookie key as a list of numbers"] = ", ".join(str(byte) for byte in key[:8])
    forms["the proxy password in UTF-16"] = password.encode("utf-16le").decode("latin-1")
    return forms


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_stands_in_a_log_or_an_export(form, proxy, tmp_path, monkeypatch):
    monkeypatch.setenv("RUST_LOG", "trace")
    monkeypatch.setenv("SLUICEGATE_LOG_FORMAT", form)
    said = []
    with ServerUnderTest(keep=True) as server:
        token = (server.data / "admin-token").read_text().strip()
        # Failed logins: a wrong token, the right one with a mistake, in a wrong scheme, and in places where it has no business.
        for headers, path in [
            ({"Authorization": "Bearer wrong"}, "/api/v1/status"),
            ({"Authorization": f"Bearer {token}x"}, "/api/v1/status"),
            ({"Authorization": f"Basic {token}"}, "/api/v1/status"),
            ({"X-Token": token}, "/api/v1/audit"),
            ({}, f"/api/v1/status?token={token}"),
        ]:
            answer = exchange(server.base, "GET", path, headers=headers)
            assert answer.status == 401, (path, answer.status)
            said.append(answer.body.decode(errors="replace"))
        address = f"http://127.0.0.1:{proxy.server_port}"
        password = tmp_path / "password"
        password.write_text(PASSWORD + "\n")
        said.append(run(
            server, "upstream", "set", "http://upstream.invalid:8530", "--no-probe", "--proxy", address, "--proxy-user", USER,
            "--proxy-password-file", str(password),
        ))
        said.append(run(server, "upstream", "test", code=1))
        assert any(seen.startswith("Basic ") for seen in proxy.seen), "the password was tried"
        said.append(run(server, "sync", "now"))
        password.write_text(PASSWORD + "-2\n")
        said.append(run(server, "upstream", "set", "http://upstream.invalid:8530", "--no-probe",
                        "--proxy-user", USER, "--proxy-password-file", str(password)))
        said.append(run(server, "upstream", "show", "--json"))
        # A body that is not what it should be is quoted by nobody.
        bad = exchange(server.base, "PUT", "/api/v1/upstream", body=json.dumps({"proxy_password": [PASSWORD]}).encode(),
                       headers={"Authorization": f"Bearer {token}"})
        assert bad.status == 400
        said.append(bad.body.decode(errors="replace"))
        subprocess.run([str(binary()), "sync", "cancel", "--data", str(server.data)], capture_output=True, timeout=60, check=False)
        audit = run(server, "audit", "list", "--json")
        assert "proxy-password" in audit, "that it was changed is told"
        said.append(audit)
        said.append(run(server, "status", "--json"))
        forms = secrets_of(server, PASSWORD) | {
            f"{name}, the later one": text for name, text in secrets_of(server, PASSWORD + "-2").items()
        }
        server.stop()
        logs = [server.log, *server.data.glob("*.log*"), *server.data.glob("logs/*")]
        texts = [path.read_bytes().decode("latin-1") for path in logs if path.is_file()]
        assert any("upstream" in text for text in texts) and len(texts) >= 2, logs
        for name, secret in forms.items():
            for text in [*texts, *said]:
                at = text.lower().find(secret.lower())
                assert at < 0, f"{name}: …{text[max(0, at - 200):at + 40]}…"
    os.unlink(server.log)
