"""Programs of others on the way to an upstream: squid as the proxy, nginx with TLS under an authority of its own."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

HELPERS = Path("/usr/lib/squid")
SEARCHED = os.environ.get("PATH", "") + ":/usr/sbin"


def missing(*commands: str) -> list[str]:
    return [command for command in commands if shutil.which(command, path=SEARCHED) is None]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Program:
    """A process that listens on a port of this machine."""

    def __init__(self, command: list, port: int, log: Path):
        self.port, self.log = port, log
        with log.open("ab") as out:
            environment = dict(os.environ) | {"PATH": SEARCHED}
            self.process = subprocess.Popen([str(c) for c in command], stdout=out, stderr=out, env=environment)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        self.end()
        raise RuntimeError(f"{command[0]} did not come up: {log.read_text(errors='replace')[-2000:]}")

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def authority(folder: Path) -> Path:
    """An authority and a certificate of it for localhost; answers the authority's file."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "rsa:2048", "-nodes", "-keyout")
    openssl("req", "-x509", *key, "ca.key", "-days", "2", "-subj", "/CN=Check authority", "-out", "ca.pem")
    openssl("req", *key, "server.key", "-subj", "/CN=localhost", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    issue = ("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    openssl(*issue, "-days", "2", "-out", "server.pem", "-extfile", "names")
    return folder / "ca.pem"


def nginx(folder: Path, behind: str) -> Program:
    """nginx with TLS in front of a server; `authority` made its certificate in the same folder."""
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    places = "".join(f"{name}_temp_path {folder}/{name};" for name in ("fastcgi", "uwsgi", "scgi", "proxy"))
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
        f"events {{}}\nhttp {{ access_log off; client_body_temp_path {folder}/body; {places}\n"
        f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/server.pem;\n"
        f"ssl_certificate_key {folder}/server.key; client_max_body_size 0;\n"
        f"location / {{ proxy_pass {behind}; proxy_http_version 1.1; proxy_buffering off; }} }} }}\n"
    )
    return Program(["nginx", "-e", folder / "nginx.err", "-c", folder / "nginx.conf"], port, folder / "nginx.out")


def squid(folder: Path, kind: str) -> Program:
    """squid that asks nobody (`open`), for a name and password (`basic`: sync and good), or for NTLM."""
    place = folder / f"squid-{kind}"
    place.mkdir()
    place.chmod(0o777)
    folder.chmod(0o755)
    allow, lines = "all", ""
    if kind == "basic":
        password = subprocess.run(["openssl", "passwd", "-apr1", "good"], capture_output=True, text=True, check=True)
        (place / "passwords").write_text(f"sync:{password.stdout}")
        (place / "passwords").chmod(0o644)
        lines = f"auth_param basic program {HELPERS}/basic_ncsa_auth {place}/passwords\nauth_param basic realm check\n"
    if kind == "ntlm":
        lines = f"auth_param ntlm program {HELPERS}/ntlm_fake_auth\nauth_param ntlm children 2\n"
    if lines:
        allow, lines = "known", lines + "acl known proxy_auth REQUIRED\n"
    port = free_port()
    (place / "squid.conf").write_text(
        f"http_port 127.0.0.1:{port}\npid_filename {place}/pid\naccess_log none\ncache_log {place}/cache.log\n"
        f"cache deny all\ncoredump_dir {place}\ndns_nameservers 127.0.0.1\ndns_timeout 1 second\n"
        f"dns_retransmit_interval 1 second\nshutdown_lifetime 0 seconds\nacl CONNECT method CONNECT\n"
        f"{lines}http_access allow {allow}\nhttp_access deny all\n"
    )
    return Program(["squid", "-N", "-f", place / "squid.conf"], port, place / "out")
