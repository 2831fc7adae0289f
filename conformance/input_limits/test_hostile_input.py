"""Hostile and broken input: a fault that can be looked up or a 4xx with a sentence; never a crash, a hang, or a
500 without an ID. After each the server still serves."""

import gzip
import struct

import pytest

from conformance.judging import assert_refused
from conformance.wire import xpress
from conformance.wire.client import device
from conformance.wire.http import exchange
from conformance.wire.soap import CLIENT, REPORTING, SOAP11, Reply, envelope, text

ASK = text("protocolVersion", "1.8")
MEGABYTE = 1 << 20


def wrapped(inside: str, prolog: str = "") -> bytes:
    return f'{prolog}<s:Envelope xmlns:s="{SOAP11}"><s:Body>{inside}</s:Body></s:Envelope>'.encode()


def config(inside: str, prolog: str = "") -> bytes:
    return wrapped(f'<GetConfig xmlns="{CLIENT.namespace}">{inside}</GetConfig>', prolog)


BILLION = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{("&" + chr(97 + n) + ";") * 10}">' for n in range(9))
    + "]>"
)

BROKEN = {
    "empty": b"",
    "blank": b"   \r\n",
    "not XML": b"hello, server",
    "binary": bytes(range(256)),
    "cut off": config(ASK)[:-20],
    "unbalanced": config("<a><b></a></b>"),
    "two roots": config(ASK) + config(ASK),
    "text behind": config(ASK) + b"more",
    "broken UTF-8": config(
        "<protocolVersion>\udcff</protocolVersion>".encode("utf-8", "surrogatepass").decode("latin-1")
    ).replace(b"\xc3\xad\xc2\xb3\xc2\xbf", b"\xff\xfe"),
    "NUL": config("<protocolVersion>1\x00</protocolVersion>"),
    "forbidden reference": config("<protocolVersion>&#0;</protocolVersion>"),
    "unknown entity": config("<protocolVersion>&version;</protocolVersion>"),
    "not an envelope": b"<html><body>hello</body></html>",
    "envelope of nobody": b'<Envelope xmlns="urn:nobody"><Body/></Envelope>',
    "no body": f'<s:Envelope xmlns:s="{SOAP11}"/>'.encode(),
    "empty body": wrapped(""),
    "unknown operation": wrapped(f'<FormatDisk xmlns="{CLIENT.namespace}"/>'),
    "foreign namespace": wrapped('<GetConfig xmlns="urn:nobody"/>'),
    "no namespace": wrapped("<GetConfig/>"),
    "document type": config(ASK, "<!DOCTYPE GetConfig>"),
    "external entity": config(
        "<protocolVersion>&x;</protocolVersion>", '<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    ),
    "parameter entity": config(ASK, '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x">%p;]>'),
    "billion laughs": config("<protocolVersion>&i;</protocolVersion>", BILLION),
    "deep": config("<a>" * 20_000 + "</a>" * 20_000),
    "deep and open": config("<a>" * 100_000),
    "many attributes": config("<a " + " ".join(f'a{n}="1"' for n in range(50_000)) + "/>"),
    "attribute twice": config('<a b="1" b="2"/>'),
    "long name": config(f"<{'a' * MEGABYTE}/>"),
    "undeclared prefix": config("<nobody:a/>"),
}


@pytest.fixture(autouse=True)
def _still_serving(subject):
    """Whatever a test sent, the next ordinary request is answered."""
    yield
    answer = exchange(
        subject,
        "POST",
        CLIENT.path,
        [("Content-Type", "text/xml"), ("SOAPAction", f'"{CLIENT.action("GetConfig")}"')],
        envelope(CLIENT, "GetConfig", ASK),
        timeout=10,
    )
    assert Reply(answer).result() is not None


@pytest.mark.parametrize("what", list(BROKEN))
def test_broken_documents_are_refused(stranger, what):
    answer = stranger.send(CLIENT, "GetConfig", "", body=BROKEN[what])
    if what == "broken UTF-8":
        assert b"\xff\xfe" in BROKEN[what]
    assert_refused(answer)
    assert b"root:" not in answer.body


@pytest.mark.parametrize("what", ["document type", "billion laughs", "deep", "cut off"])
def test_the_reporting_service_refuses_them_too(stranger, what):
    assert_refused(stranger.send(REPORTING, "ReportEventBatch", "", body=BROKEN[what]))


@pytest.mark.parametrize(
    "change",
    [
        ("<int>1</int>", "<int>one</int>"),
        ("<int>1</int>", "<int>99999999999999999999</int>"),
        ("<int>1</int>", "<int></int>"),
        ("<int>1</int>", "<int>1.5</int>"),
        ("<SkipSoftwareSync>false<", "<SkipSoftwareSync>perhaps<"),
        ("<ExpressQuery>false<", "<ExpressQuery>no<"),
        ("<EncryptedData>", "<EncryptedData>****"),
        ("<Expiration>", "<Expiration>soon"),
        ("<Id>", "<Id>{{{"),
    ],
    ids=["word", "huge", "empty", "fraction", "boolean", "other boolean", "no base64", "no time", "no guid"],
)
def test_values_of_another_type_are_refused(computer, change):
    content = computer.sync_content(installed=[1], categories=["12345678-1234-1234-1234-123456789012"])
    old, new = change
    assert old in content
    assert_refused(computer.send(CLIENT, "SyncUpdates", content.replace(old, new, 1)))


@pytest.mark.parametrize("value", ["-1", "0", "+7", " 12 ", "2147483647", "-2147483648", "007"])
def test_whole_numbers_of_every_lexical_form_are_numbers(computer, value):
    content = computer.sync_content(installed=[1]).replace("<int>1<", f"<int>{value}<")
    reply = computer.call(CLIENT, "SyncUpdates", content)
    assert reply.result() is not None


def test_a_body_of_many_megabytes_is_refused(stranger):
    answer = stranger.send(CLIENT, "GetConfig", "", body=config(text("protocolVersion", "1" * (40 * MEGABYTE))))
    assert_refused(answer)


def test_a_body_announced_as_endless_is_refused_at_once(subject):
    headers = [("Content-Type", "text/xml"), ("Content-Length", str(1 << 40))]
    answer = exchange(subject, "POST", CLIENT.path, headers, b"<", timeout=20)
    assert 400 <= answer.status < 500


@pytest.mark.parametrize("length", ["-5", "ten", "5, 6"])
def test_a_length_that_is_none_is_refused(subject, length):
    """By status, or by a closed connection: where the request ends is then unknown."""
    headers = [("Content-Type", "text/xml"), ("Content-Length", length)]
    try:
        answer = exchange(subject, "POST", CLIENT.path, headers, b"<a/>", timeout=20)
    except ConnectionError:
        return
    assert 400 <= answer.status < 500


def test_a_million_ids_are_refused_or_served(computer):
    content = computer.sync_content(other=[1]).replace("<int>1</int>", "<int>1</int>" * 1_000_000)
    answer = computer.send(CLIENT, "SyncUpdates", content)
    if answer.status != 200:
        assert_refused(answer)


def test_a_bomb_in_gzip_is_refused(stranger):
    """A thousand megabytes in one."""
    packed = gzip.compress(b" " * (64 * MEGABYTE), 9)
    bomb = packed * 16
    answer = stranger.send(CLIENT, "GetConfig", "", body=bomb, headers=[("Content-Encoding", "gzip")])
    assert_refused(answer)


def test_a_bomb_in_xpress_is_refused(stranger):
    block = xpress.compress(b" " * 65535, 65535)
    assert len(block) < 40
    bomb = block * 20_000
    answer = stranger.send(CLIENT, "GetConfig", "", body=bomb, headers=[("Content-Encoding", "xpress")])
    assert_refused(answer)


def test_an_xpress_header_that_promises_gigabytes_is_refused(stranger):
    answer = stranger.send(
        CLIENT,
        "GetConfig",
        "",
        body=struct.pack("<ii", 0x7FFFFFFF, 10) + bytes(10),
        headers=[("Content-Encoding", "xpress")],
    )
    assert_refused(answer)


@pytest.mark.parametrize("count", [300, 2000])
def test_very_many_headers_are_refused(stranger, count):
    """By status, or by a closed connection when the server would not even read them all."""
    extra = [(f"X-Filler-{number}", "x" * 100) for number in range(count)]
    try:
        answer = stranger.send(CLIENT, "GetConfig", ASK, headers=extra)
    except ConnectionError:
        return
    assert 400 <= answer.status < 500


def test_an_action_that_is_not_the_operation_is_refused(stranger):
    wrong = [("SOAPAction", f'"{CLIENT.action("SyncUpdates")}"')]
    assert_refused(stranger.send(CLIENT, "GetConfig", ASK, headers=wrong))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(subject, method):
    answer = exchange(subject, method, CLIENT.path, [("Content-Length", "0")])
    assert 400 <= answer.status < 502 and answer.status != 500


def test_the_headers_of_a_thousand_devices_are_served(computer):
    """A busy machine: bounded, but far above what was seen (75 devices)."""
    devices = [device([f"PCI\\VEN_{number:04X}&DEV_0001", f"PCI\\VEN_{number:04X}"]) for number in range(1000)]
    reply = computer.call(CLIENT, "SyncUpdates", computer.sync_content(devices=devices, skip_software=True))
    assert reply.result() is not None
