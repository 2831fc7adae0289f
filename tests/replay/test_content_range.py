"""The recorded content downloads, for files of the recorded sizes (their bytes were not recorded)."""

import random
import re

import pytest

from conformance.wire.http import exchange as send
from tests.support.documents import Payload, bundle, software
from tests.support.server import ServerUnderTest

from . import recorded
from .sending import assert_headers

SHAPES = ["first-range-by-offset", "middle-range", "final-range", "whole-file-single-range"]


def size_of(exchange) -> int:
    return int(dict(exchange.response_headers)["Content-Range"].split("/")[1])


@pytest.fixture(scope="module")
def stored():
    """A server with one file for each recorded size."""
    sizes = {size_of(recorded.exchange("content-range", shape)) for shape in SHAPES}
    noise = random.Random(1).randbytes(1 << 20)
    files = {size: Payload(f"recorded-{size}.exe", (noise * (size // len(noise) + 1))[:size]) for size in sizes}
    with ServerUnderTest() as server:
        server.admin.import_all(bundle([software("recorded sizes", [], [], files=list(files.values()))]))
        for file in files.values():
            server.admin.add_content(file.name, file.data)
        yield server.base, files


@pytest.mark.parametrize("shape", SHAPES)
def test_the_recorded_range_is_answered_as_recorded(stored, shape):
    base, files = stored
    exchange = recorded.exchange("content-range", shape)
    file = files[size_of(exchange)]
    answer = send(base, "GET", file.path, exchange.headers)
    assert_headers(exchange, answer)
    start, end = map(int, re.search(r"bytes=(\d+)-(\d+)", dict(exchange.headers)["Range"]).groups())
    assert answer.raw == file.data[start : end + 1]
    assert answer.header("Content-Length") == dict(exchange.response_headers)["Content-Length"]
    # A strong tag; what stands in it is each server's own.
    assert re.fullmatch(r'"[0-9A-Za-z:]+"', answer.header("ETag"))
