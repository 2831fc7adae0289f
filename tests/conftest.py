"""Shared by all black-box checks: the closing line, and one server per kind of check."""

import pytest

from tests.support.server import ServerUnderTest

pytest_plugins = ["tests.support.counting"]


@pytest.fixture(scope="module")
def server():
    """A fresh server with an empty catalog, for one module."""
    with ServerUnderTest() as running:
        yield running
