"""The admin API of a running Sluicegate, as far as checks need it."""

import json
from pathlib import Path
from urllib.parse import quote, urlencode

from conformance.wire.http import Answer, exchange


class AdminError(AssertionError):
    """The admin API refused; carries what it said."""

    def __init__(self, answer: Answer, what: str):
        super().__init__(f"{what}: HTTP {answer.status}: {answer.raw[:2000].decode(errors='replace')}")
        self.status = answer.status


class Admin:
    def __init__(self, base: str, token: str):
        self.base = base
        self.token = token

    @classmethod
    def of_folder(cls, data: str | Path) -> "Admin":
        """Finds server and token the way the command line does: by the files in the data folder."""
        data = Path(data)
        return cls((data / "listen").read_text().strip().rstrip("/"), (data / "admin-token").read_text().strip())

    def request(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Answer:
        headers = [("Authorization", f"Bearer {self.token}"), ("Accept", "application/json")]
        if body is not None:
            headers.append(("Content-Type", kind))
        elif method != "GET":
            body = b""
        return exchange(self.base, method, "/api/v1/" + path, headers, body)

    def call(self, method: str, path: str, value=None):
        """Sends a value as JSON, returns the answer's; anything but 2xx raises."""
        answer = self.request(method, path, None if value is None else json.dumps(value).encode())
        if not 200 <= answer.status < 300:
            raise AdminError(answer, f"{method} {path}")
        return json.loads(answer.raw) if answer.raw.strip() else None

    # Catalog.

    def import_documents(self, documents: dict[str, bytes]) -> dict:
        """Imports documents by name; returns the report of the last line."""
        body = b"".join(
            json.dumps({"name": name, "size": len(data)}).encode() + b"\n" + data for name, data in documents.items()
        )
        answer = self.request("POST", "catalog/import", body, "application/octet-stream")
        if answer.status != 200:
            raise AdminError(answer, "POST catalog/import")
        lines = [json.loads(line) for line in answer.raw.splitlines() if line.strip()]
        if not lines or "report" not in lines[-1]:
            raise AdminError(answer, "the import's last line is not a report")
        return lines[-1]["report"]

    def import_all(self, documents: dict[str, bytes]) -> dict:
        """Imports documents that are all good; raises when one is quarantined."""
        report = self.import_documents(documents)
        if report.get("quarantined"):
            raise AssertionError(f"quarantined: {json.dumps(report['quarantined'], indent=1)}")
        return report

    def quarantine(self):
        return self.call("GET", "catalog/quarantine")

    # Decisions.

    def updates(self, **query):
        return self.call("GET", "updates" + (f"?{urlencode(query)}" if query else ""))

    def approve(self, update: str, group: str, action: str = "install", deadline: str | None = None):
        value = {"group": group, "action": action}
        if deadline:
            value["deadline"] = deadline
        return self.call("POST", f"updates/{update}/approve", value)

    def unapprove(self, update: str, group: str | None = None):
        return self.call("POST", f"updates/{update}/unapprove", {"group": group} if group else {})

    def decline(self, update: str):
        return self.call("POST", f"updates/{update}/decline", {})

    def accept_licence(self, update: str):
        """Accepts the licence terms of an update, without which it cannot be approved."""
        return self.call("POST", f"updates/{update}/accept-eula", {})

    # Groups and computers.

    def groups(self):
        return self.call("GET", "groups")

    def create_group(self, name: str, parent: str | None = None):
        return self.call("POST", "groups", {"name": name} | ({"parent": parent} if parent else {}))

    def computer(self, computer: str):
        return self.call("GET", f"computers/{quote(computer)}")

    def move(self, computer: str, group: str):
        return self.call("POST", f"computers/{quote(computer)}/move", {"group": group})

    # Content and settings.

    def add_content(self, name: str, data: bytes):
        answer = self.request("POST", f"content?name={quote(name)}", data, "application/octet-stream")
        if not 200 <= answer.status < 300:
            raise AdminError(answer, f"POST content?name={name}")
        return json.loads(answer.raw) if answer.raw.strip() else None

    def config(self):
        return self.call("GET", "config")

    def configure(self, **settings):
        """Changes the named settings, leaving the others as they are."""
        return self.call("PUT", "config", settings)
