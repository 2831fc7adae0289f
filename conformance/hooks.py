"""The optional setup of a subject. Only this file knows that the subject may be a Sluicegate.

For another server, give a class with the same methods and name it here.
"""

import json
import time
import uuid
from contextlib import contextmanager

from tests.support.admin import Admin
from tests.support.bench import Bench

PATIENCE_SECONDS = 15


def eventually(check, seconds: float = PATIENCE_SECONDS):
    """Calls `check` until it returns something true; decisions may take a moment to reach scans."""
    until = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"still not so after {seconds} s: {check.__doc__ or check}")
        time.sleep(0.1)


class Setup:
    """An administrator of the subject. Everything carries a tag of this run, so that runs do not meet."""

    def __init__(self, data: str):
        self.admin = Admin.of_folder(data)
        self.tag = f"run {uuid.uuid4().hex[:6]}"
        self.bench = Bench(self.tag)
        self.imported = False

    def ready(self) -> "Setup":
        """Imports the bench once."""
        if not self.imported:
            self.admin.import_all(self.bench.files())
            self.imported = True
        return self

    def group(self, text: str = "") -> str:
        """A new target group of a name nobody has."""
        name = f"{self.tag} {text} {uuid.uuid4().hex[:6]}"
        self.admin.create_group(name)
        return name

    def place(self, computer, group: str) -> None:
        """Puts a computer that has registered into a group."""
        self.admin.move(computer.id, group)

    def give_key(self, sha1: bytes, key: bytes) -> None:
        """Gives the key of an encrypted file, as a server above would."""
        line = json.dumps({"file_key": {"sha1": sha1.hex().upper(), "key": key.hex()}}).encode() + b"\n"
        answer = self.admin.request("POST", "import/decisions", line, "application/octet-stream")
        assert answer.status == 200, answer.raw

    @contextmanager
    def changed(self, **settings):
        """Other settings for a while. Cookies from before and from within are of another configuration."""
        before = self.admin.config()
        self.admin.configure(**settings)
        try:
            yield
        finally:
            self.admin.configure(**{name: before.get(name) for name in settings})
