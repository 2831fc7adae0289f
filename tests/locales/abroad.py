"""A server and its commands under the language, region and time zone of somewhere else."""

import os
import re
import subprocess
from pathlib import Path

from tests.hierarchy.node import RUN_SECONDS, Node
from tests.support.places import binary

# What differs between two runs of the same story, wherever they are: times, how long things took, addresses,
# ids that are drawn at random, numbers of threads and processes.
CHANGING = [
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( UTC|Z)?"), "TIME"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "GUID"),
    (re.compile(r"\bhash=[0-9a-f]{64}"), "hash=HASH"),
    (re.compile(r"\b(millis|bytes|pid|wait_ms)=\d+"), r"\1=N"),
    (re.compile(r"sluicegate-(check|run)-\w+"), "FOLDER"),
]


def steady(text: str) -> str:
    """A text without what changes from run to run."""
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return text


def locale_archive(folder: Path, names: list[str]) -> Path | None:
    """Locales made by localedef in a folder of their own; None where the system has no sources for them."""
    if not Path("/usr/share/i18n/locales").is_dir():
        return None
    for name in names:
        made = subprocess.run(
            ["localedef", "--no-archive", "-i", name, "-f", "UTF-8", str(folder / f"{name}.UTF-8")],
            capture_output=True,
            timeout=60,
            check=False,
        )
        if not (folder / f"{name}.UTF-8").is_dir():
            raise AssertionError(made.stderr.decode(errors="replace"))
    return folder


class Abroad(Node):
    """A server in `place`, the environment variables of somewhere."""

    def __init__(self, name: str, place: dict[str, str]):
        super().__init__(name)
        self.place = place

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("LC_") and k not in ("LANG", "LANGUAGE", "TZ")}
        return kept | self.place

    def cli(self, *words: str, code: int = 0) -> str:
        return self.raw(*words, "--data", str(self.data), code=code).decode("utf-8")

    def raw(self, *words: str, code: int = 0) -> bytes:
        """What a command prints, byte for byte."""
        command = [str(binary()), *words]
        ran = subprocess.run(command, capture_output=True, env=self.environment(), timeout=RUN_SECONDS, check=False)
        assert ran.returncode == code, f"{' '.join(words)}: code {ran.returncode}: {ran.stderr!r}\n{self.tail()}"
        return ran.stdout
