"""Where things are: the work tree, the binary under test, the folder of reference material."""

import os
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def binary() -> Path:
    """The server under test: $SLUICEGATE_BIN, or the development build."""
    return Path(os.environ.get("SLUICEGATE_BIN") or TOP / "target/debug/sluicegate").absolute()


def shared(*parts: str) -> Path:
    """A path among the reference material: $SLUICEGATE_SHARED, or the folder `shared` beside the work tree."""
    return Path(os.environ.get("SLUICEGATE_SHARED") or TOP.parent / "shared").joinpath(*parts)
