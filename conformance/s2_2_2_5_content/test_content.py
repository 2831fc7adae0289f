"""MS-WUSP 2.2.2.5: the update content directory, as agents and their downloaders use it (observed-behaviour 5)."""

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate, parsedate_to_datetime

import pytest

from conformance.wire.http import exchange
from tests.support.bench import payload
from tests.support.documents import Payload, bundle, software

pytestmark = pytest.mark.setup

PIECE = 1 << 20
DOWNLOADER = [
    ("Connection", "Keep-Alive"),
    ("Accept", "*/*"),
    ("User-Agent", "Microsoft-Delivery-Optimization/10.1"),
    ("MS-CV", "e8u3dmxOhkGW0Ilt.2.0.0.8.1.1.3.1.1.52"),
]
TYPES = {
    "exe": {"application/octet-stream"},
    "msu": {"application/octet-stream"},
    "msi": {"application/octet-stream", "application/x-msi", "application/x-msdownload"},
    "msp": {"application/octet-stream", "application/x-msp"},
    "psf": {"application/octet-stream"},
    "esd": {"application/octet-stream", "application/vnd.ms-cab-compressed"},
    "wim": {"application/octet-stream", "application/x-ms-wim"},
    "cab": {"application/octet-stream", "application/vnd.ms-cab-compressed"},
    "txt": {"text/plain", "text/plain; charset=utf-8"},
    "zzz": {"application/octet-stream"},
}


@pytest.fixture(scope="module")
def stored(_setup, subject):
    """Files in the content directory: one of each ending, and one of several pieces."""
    if _setup is None:
        pytest.skip("needs ADMIN, to put files into the subject")
    bench = _setup.ready().bench
    files = {ending: payload(bench.name(f"file.{ending}"), 4000) for ending in TYPES}
    scattered = random.Random(7).randbytes(3 * PIECE + 12345)
    files["large"] = Payload(bench.name("large.exe"), scattered + bench.tag.encode())
    update = software(bench.name("files"), [[bench["present"].id]], [[bench["product"].id]], files=list(files.values()))
    _setup.admin.import_all(bundle([update]))
    for file in files.values():
        _setup.admin.add_content(file.name, file.data)
    return files


def get(subject, path, *headers, method="GET"):
    return exchange(subject, method, path, list(headers))


@pytest.mark.spec("2.2.2.5")
def test_a_whole_file(subject, stored):
    file = stored["exe"]
    answer = get(subject, file.path)
    assert answer.status == 200
    assert answer.raw == file.data
    assert int(answer.header("Content-Length")) == len(file.data)
    assert answer.header("Accept-Ranges") == "bytes"


@pytest.mark.observed("5")
def test_the_headers_of_a_recorded_download(subject, stored):
    """First piece by offsets, with the downloader's own headers, Content-Length: 0 on a GET included."""
    file = stored["large"]
    headers = [*DOWNLOADER[:2], ("Range", f"bytes=0-{PIECE - 1}"), *DOWNLOADER[2:], ("Content-Length", "0")]
    answer = exchange(subject, "GET", file.path, headers)
    assert answer.status == 206
    assert answer.header("Content-Type") == "application/octet-stream"
    assert answer.header("Accept-Ranges") == "bytes"
    assert answer.header("ETag").startswith('"') and answer.header("ETag").endswith('"')
    assert parsedate_to_datetime(answer.header("Last-Modified"))
    assert answer.header("Date")
    assert answer.header("Content-Range") == f"bytes 0-{PIECE - 1}/{len(file.data)}"
    assert int(answer.header("Content-Length")) == PIECE
    assert answer.header("Cache-Control") is None
    assert answer.header("Content-Encoding") is None, "content is never compressed"
    assert answer.raw == file.data[:PIECE]


@pytest.mark.observed("5")
def test_pieces_in_shuffled_order_over_several_connections(subject, stored):
    """As the downloader does: aligned pieces, the last ends at the last byte."""
    file = stored["large"]
    starts = list(range(0, len(file.data), PIECE))
    random.Random(3).shuffle(starts)

    def fetch(start):
        end = min(start + PIECE, len(file.data)) - 1
        answer = get(subject, file.path, ("Range", f"bytes={start}-{end}"), *DOWNLOADER)
        assert answer.status == 206 and len(answer.raw) == end - start + 1
        return start, answer.raw

    with ThreadPoolExecutor(7) as pool:
        pieces = dict(pool.map(fetch, starts))
    whole = b"".join(pieces[start] for start in sorted(pieces))
    assert hashlib.sha1(whole).digest() == file.sha1


@pytest.mark.observed("5")
@pytest.mark.parametrize(
    "wanted, start, end",
    [
        ("0-0", 0, 1),
        ("0-3999", 0, 4000),
        ("100-", 100, 4000),
        ("-100", 3900, 4000),
        ("-999999", 0, 4000),
        ("3999-", 3999, 4000),
        ("3990-999999", 3990, 4000),
    ],
)
def test_single_ranges(subject, stored, wanted, start, end):
    file = stored["msu"]
    answer = get(subject, file.path, ("Range", f"bytes={wanted}"))
    assert answer.status == 206
    assert answer.header("Content-Range") == f"bytes {start}-{end - 1}/4000"
    assert answer.raw == file.data[start:end]


@pytest.mark.spec("2.2.2.5")
@pytest.mark.parametrize("wanted", ["4000-", "4000-4001", "999999-1000000"])
def test_ranges_beyond_the_end(subject, stored, wanted):
    """RFC 2616 14.16."""
    answer = get(subject, stored["msu"].path, ("Range", f"bytes={wanted}"))
    assert answer.status == 416
    assert answer.header("Content-Range") == "bytes */4000"


@pytest.mark.spec("2.2.2.5")
@pytest.mark.parametrize("wanted", ["bytes=9-3", "bytes=abc", "lines=1-2", "bytes=1-2-3", "bytes"])
def test_malformed_ranges_are_no_ranges(subject, stored, wanted):
    answer = get(subject, stored["msu"].path, ("Range", wanted))
    assert answer.status in (200, 400, 416)
    if answer.status == 200:
        assert answer.raw == stored["msu"].data


@pytest.mark.spec("2.2.2.5")
def test_several_ranges(subject, stored):
    """RFC 2616 19.2, multipart/byteranges."""
    file = stored["msi"]
    answer = get(subject, file.path, ("Range", "bytes=0-9,100-119,-5"))
    assert answer.status == 206
    kind = answer.header("Content-Type")
    assert kind.startswith("multipart/byteranges; boundary=")
    boundary = kind.split("boundary=")[1].strip('"').encode()
    parts = answer.raw.split(b"--" + boundary)[1:-1]
    bodies = [part.split(b"\r\n\r\n", 1)[1][:-2] for part in parts]
    assert bodies == [file.data[:10], file.data[100:120], file.data[-5:]]
    for part, span in zip(parts, ("0-9", "100-119", "3995-3999"), strict=True):
        assert f"content-range: bytes {span}/4000".encode() in part.lower()
    assert int(answer.header("Content-Length")) == len(answer.raw)


@pytest.mark.spec("2.2.2.5")
def test_absurdly_many_ranges_cost_nothing(subject, stored):
    wanted = ",".join(f"{number}-{number + 1}" for number in range(0, 3000, 3))
    answer = get(subject, stored["msi"].path, ("Range", f"bytes={wanted}"))
    assert answer.status in (200, 206, 400, 416, 431)
    assert len(answer.raw) < 200_000


@pytest.mark.spec("2.2.2.5")
class TestConditions:
    """RFC 2616 14.24 to 14.28."""

    @pytest.fixture()
    def known(self, subject, stored):
        file = stored["msp"]
        answer = get(subject, file.path, method="HEAD")
        return file, answer.header("ETag"), answer.header("Last-Modified")

    def test_if_range_with_the_right_tag_gives_the_range(self, subject, known):
        file, tag, _ = known
        answer = get(subject, file.path, ("Range", "bytes=10-19"), ("If-Range", tag))
        assert (answer.status, answer.raw) == (206, file.data[10:20])

    def test_if_range_with_the_right_date_gives_the_range(self, subject, known):
        file, _, date = known
        answer = get(subject, file.path, ("Range", "bytes=10-19"), ("If-Range", date))
        assert (answer.status, answer.raw) == (206, file.data[10:20])

    @pytest.mark.parametrize("other", ['"another"', formatdate(0, usegmt=True)])
    def test_if_range_with_another_gives_the_whole(self, subject, known, other):
        file, _, _ = known
        answer = get(subject, file.path, ("Range", "bytes=10-19"), ("If-Range", other))
        assert (answer.status, answer.raw) == (200, file.data)

    def test_if_none_match_says_not_modified(self, subject, known):
        file, tag, _ = known
        answer = get(subject, file.path, ("If-None-Match", tag))
        assert (answer.status, answer.raw) == (304, b"")

    def test_if_modified_since_says_not_modified(self, subject, known):
        file, _, date = known
        assert get(subject, file.path, ("If-Modified-Since", date)).status == 304
        assert get(subject, file.path, ("If-Modified-Since", formatdate(0, usegmt=True))).status == 200

    def test_if_match_with_another_tag_fails(self, subject, known):
        file, tag, _ = known
        assert get(subject, file.path, ("If-Match", '"another"')).status == 412
        assert get(subject, file.path, ("If-Match", tag)).status == 200


@pytest.mark.spec("2.2.2.5")
def test_head_says_what_get_would(subject, stored):
    file = stored["cab"]
    head, body = get(subject, file.path, method="HEAD"), get(subject, file.path)
    assert head.status == 200 and head.raw == b""
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges"):
        assert head.header(name) == body.header(name), name


@pytest.mark.observed("5")
def test_head_with_a_range_is_answered(subject, stored):
    """Real servers answer 416, which helps nobody; a range of nothing has no meaning in RFC 2616."""
    answer = get(subject, stored["cab"].path, ("Range", "bytes=0-9"), method="HEAD")
    assert answer.status in (200, 206, 416) and answer.raw == b""


@pytest.mark.observed("5")
def test_paths_match_in_any_letter_case(subject, stored):
    file = stored["exe"]
    for path in (file.path.lower(), file.path.upper(), file.path.swapcase()):
        assert get(subject, path).raw == file.data


@pytest.mark.observed("5")
def test_the_folder_must_be_the_right_one(subject, stored):
    folder, name = stored["exe"].path.rsplit("/", 2)[1:]
    other = "00" if folder != "00" else "01"
    assert get(subject, f"/Content/{other}/{name}").status == 404


@pytest.mark.observed("5")
@pytest.mark.parametrize(
    "path",
    [
        "/Content",
        "/Content/",
        "/Content/AB",
        "/Content/AB/",
        "/Content/AB/0000000000000000000000000000000000000000.exe",
        "/Content/../admin-token",
        "/Content/%2e%2e/%2e%2e/admin-token",
        "/Content/AB/..%2f..%2fadmin-token",
        "/Content/AB/..\\..\\admin-token",
        "/Content/AB/C:\\Windows\\win.ini",
        "/Content/%00",
    ],
)
def test_nothing_else_can_be_read(subject, stored, path):
    assert get(subject, path).status in (400, 403, 404)


@pytest.mark.observed("5")
def test_a_path_without_an_ending_is_not_a_file(subject, stored):
    assert get(subject, stored["exe"].path.removesuffix(".exe")).status in (403, 404)


@pytest.mark.spec("2.2.2.5")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_files_cannot_be_changed(subject, stored, method):
    file = stored["exe"]
    assert get(subject, file.path, ("Content-Length", "0"), method=method).status in (403, 404, 405, 501)
    assert get(subject, file.path).raw == file.data


@pytest.mark.parametrize("ending", list(TYPES))
def test_content_types(subject, stored, ending):
    answer = get(subject, stored[ending].path, method="HEAD")
    assert answer.header("Content-Type").lower() in TYPES[ending]
    assert "html" not in answer.header("Content-Type")
