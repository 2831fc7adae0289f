"""MS-WUSP 3.1.5.10: GetFileLocations."""

from base64 import b64encode
from urllib.parse import urlsplit

import pytest

from conformance.judging import assert_fault
from conformance.wire.answers import Cookie, child, child_text, children, items
from conformance.wire.client import cookie_markup
from conformance.wire.http import exchange
from conformance.wire.soap import CLIENT


def locations(result):
    return {child_text(node, "FileDigest"): child_text(node, "Url") for node in items(result, "FileLocations")}


@pytest.mark.spec("3.1.5.10")
def test_digests_must_be_present(computer):
    answer = computer.send(CLIENT, "GetFileLocations", cookie_markup("cookie", computer.cookie))
    assert_fault(answer, "InvalidParameters")


@pytest.mark.spec("3.1.5.10")
@pytest.mark.parametrize("size", [0, 1, 19, 21, 32])
def test_a_digest_has_twenty_bytes(computer, size):
    content = computer.file_locations_content([b64encode(bytes(20)).decode(), b64encode(bytes(size)).decode()])
    fault = assert_fault(computer.send(CLIENT, "GetFileLocations", content), "InvalidParameters")
    assert "fileDigests" in (fault["Message"] or "")


@pytest.mark.spec("3.1.5.10")
def test_an_unknown_digest_has_no_location(computer):
    result = computer.file_locations([b64encode(b"\xee" * 20).decode()])
    assert locations(result) == {}


@pytest.mark.observed("4")
def test_a_new_cookie_comes_with_the_locations(computer):
    result = computer.file_locations([b64encode(bytes(20)).decode()])
    assert children(result)[-1] == "NewCookie"
    computer.cookie = Cookie.read(child(result, "NewCookie"))
    assert computer.sync().cookie.data


@pytest.mark.setup
@pytest.mark.observed("5")
def test_urls_lead_to_the_content_directory(computer, bench):
    files = bench["plain"].files + bench["licensed"].files
    found = locations(computer.file_locations([file.digest for file in files]))
    assert {digest: urlsplit(url).path for digest, url in found.items()} == {file.digest: file.path for file in files}


@pytest.mark.setup
@pytest.mark.observed("4")
def test_locations_are_given_for_files_the_server_does_not_hold(computer, bench):
    """Withholding them makes agents find nothing; the URL is a 404 until the file is there."""
    file = bench["first part"].files[0]
    found = locations(computer.file_locations([file.digest]))
    path = urlsplit(found[file.digest]).path
    assert exchange(computer.base, "GET", path).status == 404


@pytest.mark.setup
@pytest.mark.observed("4")
@pytest.mark.parametrize("host", ["updates.example.test", "updates.example.test:9999", "[2001:db8::7]:8530"])
def test_the_host_is_the_one_the_client_used_and_the_port_the_servers_own(computer, bench, host):
    file = bench["plain"].files[0]
    content = computer.file_locations_content([file.digest])
    reply = computer.call(CLIENT, "GetFileLocations", content, headers=[("Host", host)])
    (url,) = locations(child(reply.result(), "GetFileLocationsResult")).values()
    parts = urlsplit(url)
    assert parts.scheme == "http"
    assert parts.hostname == urlsplit("http://" + host).hostname
    assert parts.port == urlsplit(computer.base).port


@pytest.mark.setup
@pytest.mark.observed("4")
def test_a_hundred_digests_are_taken(computer, bench):
    file = bench["plain"].files[0]
    digests = [b64encode(number.to_bytes(20, "big")).decode() for number in range(99)] + [file.digest]
    assert set(locations(computer.file_locations(digests))) == {file.digest}


@pytest.mark.setup
@pytest.mark.spec("3.1.5.10")
def test_the_same_digest_twice_is_no_fault(computer, bench):
    file = bench["plain"].files[0]
    assert set(locations(computer.file_locations([file.digest] * 2))) == {file.digest}
