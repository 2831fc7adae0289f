"""Xpress both ways: our encoder against dissect.util's decoder, and our decoder against a plain encoder."""

import struct
import subprocess

import pytest
from dissect.util.compression import lzxpress

from tests.codecs.tools import INPUTS, xpress


def blocks(body: bytes):
    """(uncompressed size, payload) of each block (MS-WUSP 2.1.1)."""
    at = 0
    while at < len(body):
        original, compressed = struct.unpack_from("<ii", body, at)
        yield original, body[at + 8 : at + 8 + compressed]
        at += 8 + compressed
    assert at == len(body)


@pytest.mark.parametrize("effort", ["fast", "best"])
@pytest.mark.parametrize("name", INPUTS)
def test_dissect_reads_what_we_compress(name, effort):
    text = b""
    for original, payload in blocks(xpress(effort, INPUTS[name])):
        assert len(payload) <= original <= 65535
        block = payload if len(payload) == original else lzxpress.decompress(payload)
        assert len(block) == original
        text += block
    assert text == INPUTS[name]


def plain_encode(data: bytes) -> bytes:
    """MS-XCA 2.3.4 without any cleverness: greedy, the longest match by search, every length form."""
    out, flags_at, flags, count, half_at = bytearray(4), 0, 0, 0, 0
    at = 0

    def flag(bit: int) -> None:
        nonlocal flags, count, flags_at
        flags = flags << 1 | bit
        count += 1
        if count == 32:
            struct.pack_into("<I", out, flags_at, flags)
            flags, count, flags_at = 0, 0, len(out)
            out.extend(bytes(4))

    while at < len(data):
        length, found = 0, -1
        while at + length < len(data):
            # The window's own end may overlap what is being matched.
            earlier = data.rfind(data[at : at + max(length + 1, 3)], max(0, at - 8192), at + max(length + 1, 3) - 1)
            if earlier < 0 or at + 3 > len(data):
                break
            found = earlier
            length = max(length + 1, 3)
            while at + length < len(data) and data[found + length] == data[at + length]:
                length += 1
        if found < 0:
            out.append(data[at])
            at += 1
            flag(0)
            continue
        rest = length - 3
        out += struct.pack("<H", (at - found - 1) << 3 | min(rest, 7))
        if rest >= 7:
            half = min(rest - 7, 15)
            if half_at:
                out[half_at] |= half << 4
                half_at = 0
            else:
                half_at = len(out)
                out.append(half)
            if half == 15:
                out.append(min(rest - 22, 255))
                if rest - 22 >= 255:
                    out += struct.pack("<H", rest) if rest < 1 << 16 else struct.pack("<HI", 0, rest)
        at += length
        flag(1)
    struct.pack_into("<I", out, flags_at, (flags << (32 - count) | (1 << (32 - count)) - 1) & 0xFFFFFFFF)
    return bytes(out)


@pytest.mark.parametrize("name", INPUTS)
def test_we_read_what_a_plain_encoder_compresses(name):
    body = b""
    for start in range(0, len(INPUTS[name]), 16_352):
        block = INPUTS[name][start : start + 16_352]
        payload = plain_encode(block)
        if len(payload) >= len(block):
            payload = block
        else:
            assert lzxpress.decompress(payload) == block
        body += struct.pack("<ii", len(block), len(payload)) + payload
    assert xpress("decode", body) == INPUTS[name]


def test_a_damaged_body_is_refused_with_a_sentence():
    with pytest.raises(subprocess.CalledProcessError):
        xpress("decode", struct.pack("<ii", 100, 7) + b"\xff\xff\xff\xff\x00\x10\x00")
