"""The two example programs of the soap room, as functions; and inputs with the texture of answers."""

import os
import random
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or TOP / "target")


def run(program: str, *arguments: str, stdin: bytes = b"") -> bytes:
    """Standard output of an example; an error when it fails."""
    command = [TARGET / "debug/examples" / program, *arguments]
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True, timeout=60).stdout


def xpress(mode: str, data: bytes) -> bytes:
    """`fast`, `best` or `decode`."""
    return run("xpress", mode, stdin=data)


def fragment_text(seed: int, size: int) -> bytes:
    """Escaped update metadata as it fills SyncUpdates answers."""
    dice = random.Random(seed)
    words = ["&lt;b.File", "&lt;And&gt;", 'Path="', "windows\\system32\\", ".dll", 'Version="10.0.', "Comparison=", "EqualTo"]
    pieces, length = [], 0
    while length < size:
        piece = dice.choice(words) if dice.random() < 0.8 else f"{dice.getrandbits(64):x}"
        pieces.append(piece)
        length += len(piece)
    return "".join(pieces).encode()[:size]


# One of each kind that once went wrong somewhere: empty, shorter than a match, exactly one and one more
# than a set of flags, runs at the borders of the length forms, more than a block, and noise.
INPUTS = {
    "one byte": b"x",
    "two bytes": b"xy",
    "32 different bytes": bytes(range(32)),
    "33 different bytes": bytes(range(33)),
    **{f"run of {n}": b"r" * n for n in (4, 10, 11, 25, 26, 280, 281, 282, 4000, 65535, 65536, 200_000)},
    **{f"fragment of {n}": fragment_text(n, n) for n in (100, 2500, 16_352, 32_768, 32_769, 300_000)},
    "noise": random.Random(5).randbytes(70_000),
    "noise twice": random.Random(6).randbytes(6000) * 2,
}
