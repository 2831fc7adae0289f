"""Servers for the fault checks: killed without warning and started again over the same folder."""

import os
import random

import pytest

ROUNDS = int(os.environ.get("SLUICEGATE_FAULT_ROUNDS", "4"))
SEED = int(os.environ.get("SLUICEGATE_FAULT_SEED", "1911"))


def kill(server) -> None:
    """kill -9, and wait until the process is gone."""
    server.process.kill()
    server.process.wait()


@pytest.fixture
def moments():
    """Seeded random numbers, so that a failing round can be repeated."""
    return random.Random(SEED)
