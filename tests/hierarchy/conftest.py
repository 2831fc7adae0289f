"""Trees for the checks: servers that are ended together, whatever happened to them."""

import pytest

from .node import Node


class Tree:
    """Starts servers and ends them all."""

    def __init__(self):
        self.nodes: list[Node] = []

    def node(self, name: str, **more) -> Node:
        node = Node(name, **more)
        self.nodes.append(node)
        node.start()
        return node

    def chain(self, *places: tuple[str, str | None]) -> list[Node]:
        """Servers below each other: (name, mode), the first without an upstream."""
        made: list[Node] = []
        for name, mode in places:
            node = self.node(name)
            if made:
                node.below(made[-1], f"--{mode}")
                node.cli("sync", "content", "approved")
            made.append(node)
        return made

    def end(self) -> None:
        for node in self.nodes:
            node.__exit__()


@pytest.fixture
def tree():
    made = Tree()
    yield made
    made.end()
