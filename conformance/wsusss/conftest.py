"""Downstream servers that the subject has not met before."""

import pytest

from conformance.wire.downstream import Downstream


@pytest.fixture()
def stranger(subject) -> Downstream:
    """A downstream server that has not called anything yet."""
    return Downstream(subject)


@pytest.fixture()
def child(subject) -> Downstream:
    """A downstream server with a cookie."""
    return Downstream(subject).authorized()
