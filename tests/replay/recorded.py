"""Recorded exchanges, read from the reference material."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.places import shared


@dataclass(frozen=True)
class Exchange:
    """One exchange. `response` is the decoded body; None where the recording has only its headers."""

    name: str
    method: str
    path: str
    headers: list[tuple[str, str]]
    request: bytes
    status: int
    response_headers: list[tuple[str, str]]
    response: bytes | None

    @property
    def response_length(self) -> int:
        """The length of the decoded body, recorded even where the body is not."""
        return int(dict(self.response_headers)["Content-Length"])


def head(path: Path) -> tuple[str, list[tuple[str, str]]]:
    lines = path.read_bytes().decode().split("\r\n")
    pairs = [line.split(": ", 1) for line in lines[1:] if ": " in line]
    return lines[0], [(name, value) for name, value in pairs]


def folder(*parts: str) -> Path:
    """A folder of recordings; skips the test when it is absent."""
    found = shared("captures", *parts)
    if not found.is_dir():
        pytest.skip(f"the recordings (SLUICEGATE_SHARED/{'/'.join(('captures', *parts))}) are not here")
    return found


def exchange(*parts: str) -> Exchange:
    where = folder(*parts)
    line, headers = head(where / "request.headers")
    method, path, _ = line.split(" ")
    status, response_headers = head(where / "response.headers")
    body = where / "response.xml"
    request = where / "request.xml"
    return Exchange(
        "/".join(parts),
        method,
        path,
        headers,
        request.read_bytes() if request.exists() else b"",
        int(status.split(" ")[1]),
        response_headers,
        body.read_bytes() if body.exists() else None,
    )


def documents() -> dict[str, bytes]:
    """The full update documents of the recording, by file name."""
    return {path.name: path.read_bytes() for path in sorted(folder("server-sync", "docs").glob("*.xml"))}
