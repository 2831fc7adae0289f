"""Xpress bodies: blocks with eight-byte headers (MS-WUSP 2.1.1) of plain LZ77 (MS-XCA 2.3, 2.4)."""

import struct
from dataclasses import dataclass

# Real servers cut bodies into blocks of this many bytes (observed-behaviour 1.4); the
# specification allows up to 65535.
OBSERVED_BLOCK = 16352
LARGEST_BLOCK = 65535


class XpressError(ValueError):
    """The bytes are not an Xpress body; the text says where and why."""


@dataclass(frozen=True)
class Block:
    """One block as it stood on the wire."""

    original: int
    payload: bytes

    @property
    def stored_raw(self) -> bool:
        """Equal sizes mean the payload is the text itself (observed-behaviour 1.4)."""
        return self.original == len(self.payload)


def blocks(body: bytes) -> list[Block]:
    """Cuts a body into its blocks; the last one must end where the body ends."""
    found, at = [], 0
    while at < len(body):
        if at + 8 > len(body):
            raise XpressError(f"block header cut off at byte {at} of {len(body)}")
        original, compressed = struct.unpack_from("<ii", body, at)
        at += 8
        for name, size in (("original", original), ("compressed", compressed)):
            if not 0 < size <= LARGEST_BLOCK:
                raise XpressError(f"{name} size {size} of the block at byte {at - 8} is outside 1..{LARGEST_BLOCK}")
        if at + compressed > len(body):
            raise XpressError(f"block at byte {at - 8} wants {compressed} bytes, {len(body) - at} are left")
        found.append(Block(original, body[at : at + compressed]))
        at += compressed
    return found


def decompress(body: bytes) -> bytes:
    """The text of a whole body."""
    out = bytearray()
    for number, block in enumerate(blocks(body)):
        text = block.payload if block.stored_raw else decompress_block(block.payload, block.original)
        if len(text) != block.original:
            raise XpressError(f"block {number} gave {len(text)} bytes, its header says {block.original}")
        out += text
    return bytes(out)


def decompress_block(data: bytes, original: int) -> bytes:
    """MS-XCA 2.4.4. Stops once `original` bytes are out; reading outside the input is an error.

    A flag word may be missing its unused tail only in the way 2.3.4 writes it (ones), so the end of
    input at a match flag is also an end.
    """
    out = bytearray()
    at = 0
    flags, left = 0, 0
    half_at = None
    size = len(data)

    def need(count: int) -> None:
        if at + count > size:
            raise XpressError(f"input ends at {size}, byte {at + count - 1} was wanted after {len(out)} bytes of text")

    while len(out) < original:
        if left == 0:
            need(4)
            (flags,) = struct.unpack_from("<I", data, at)
            at += 4
            left = 32
        left -= 1
        if not flags >> left & 1:
            need(1)
            out.append(data[at])
            at += 1
            continue
        if at == size:
            break
        need(2)
        (pair,) = struct.unpack_from("<H", data, at)
        at += 2
        length, distance = pair % 8, pair // 8 + 1
        if length == 7:
            if half_at is None:
                need(1)
                length = data[at] % 16
                half_at = at
                at += 1
            else:
                length = data[half_at] // 16
                half_at = None
            if length == 15:
                need(1)
                length = data[at]
                at += 1
                if length == 255:
                    need(2)
                    (length,) = struct.unpack_from("<H", data, at)
                    at += 2
                    if length == 0:
                        need(4)
                        (length,) = struct.unpack_from("<I", data, at)
                        at += 4
                    if length < 15 + 7:
                        raise XpressError(f"long match length {length} at byte {at} is below 22")
                    length -= 15 + 7
                length += 15
            length += 7
        length += 3
        if distance > len(out):
            raise XpressError(f"match reaches {distance} bytes back, only {len(out)} are out")
        if len(out) + length > original:
            raise XpressError(f"match of {length} bytes runs past the block's {original} bytes")
        for _ in range(length):
            out.append(out[-distance])
    return bytes(out)


def compress(text: bytes, block: int = OBSERVED_BLOCK) -> bytes:
    """A plain encoder for requests and for testing decoders: greedy, three-byte hash, any valid output."""
    out = bytearray()
    for start in range(0, len(text), block):
        part = text[start : start + block]
        packed = compress_block(part)
        if len(packed) >= len(part):
            packed = part
        out += struct.pack("<ii", len(part), len(packed)) + packed
    return bytes(out)


def compress_block(text: bytes) -> bytes:
    """MS-XCA 2.3.4 for one block."""
    out = bytearray(4)
    flag_at, flags, count = 0, 0, 0
    half_at = None
    seen: dict[bytes, int] = {}
    at = 0

    def flag(bit: int) -> None:
        nonlocal flags, count, flag_at
        flags = flags << 1 | bit
        count += 1
        if count == 32:
            struct.pack_into("<I", out, flag_at, flags)
            flag_at, flags, count = len(out), 0, 0
            out.extend(b"\0\0\0\0")

    while at < len(text):
        key = text[at : at + 3]
        before = seen.get(key)
        if len(key) == 3:
            seen[key] = at
        length = 0
        if before is not None and at - before <= 8192:
            while at + length < len(text) and text[before + length] == text[at + length]:
                length += 1
        if length < 3:
            out.append(text[at])
            at += 1
            flag(0)
            continue
        short = length - 3
        out += struct.pack("<H", (at - before - 1) << 3 | min(short, 7))
        if short >= 7:
            rest = short - 7
            nibble = min(rest, 15)
            if half_at is None:
                half_at = len(out)
                out.append(nibble)
            else:
                out[half_at] |= nibble << 4
                half_at = None
            if rest >= 15:
                rest -= 15
                if rest < 255:
                    out.append(rest)
                else:
                    out.append(255)
                    out += struct.pack("<H", short)
        at += length
        flag(1)
    # Unused flags are ones; when the last word is full its successor is all ones.
    spare = 32 - count
    struct.pack_into("<I", out, flag_at, flags << spare | (1 << spare) - 1 if spare < 32 else 0xFFFFFFFF)
    return bytes(out)
