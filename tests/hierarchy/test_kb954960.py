"""KB954960 again, over trees of one, two and three levels: a new revision of Office 2003 Service Pack 1 comes
down while approvals in several groups exist. Every computer with Office 2003 keeps scanning at every step, and
is told of one revision with one deployment."""

from dataclasses import replace

import pytest

from tests.support.bench import payload
from tests.support.documents import Document, category, detectoid, software

from .leaf import leaf, told

SERVICE_PACK = "d359f493-0aad-43fa-af5c-6763326cd98f"
GROUPS = (None, "Servers", "Pilots")


def story():
    """The documents: Office 2003, what tells that it is installed, and the service pack with its member."""
    company = category("office company", "Company")
    product = category("office product", "Product", [company.id], "Office 2003")
    kind = category("office kind", "UpdateClassification", title="Service Packs")
    present = detectoid("office present", [[product.id]], title="Office 2003 is installed")
    member = software("office member", [[product.id]], [], files=[payload("office sp1.msp")])
    pack = Document(
        "Office 2003 Service Pack 1",
        update_id=SERVICE_PACK,
        prerequisites=[[present.id]],
        categories=[[product.id], [kind.id]],
        bundles=[[member]],
        deployable=True,
    )
    return [company, product, kind, present, member], pack


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_kb954960_every_computer_with_office_2003_keeps_scanning(tree, levels):
    rest, pack = story()
    nodes = tree.chain(("top", None), *((f"replica-{n}", "replica") for n in range(1, levels)))
    top = nodes[0]
    for node in nodes:
        node.admin.configure(targeting="client")
    top.put(*rest, pack)
    top.put_files(rest[-1])
    top.admin.create_group("Servers")
    top.admin.create_group("Pilots", "Servers")
    fleet: dict = {}

    def all_scan(wanted: dict[str | None, tuple[int, str] | None]) -> None:
        """Synchronizes level by level. After each, every computer scans, also those below that still have the
        older state: they must succeed, and those in step are told what is wanted."""
        for depth in range(levels):
            if depth:
                nodes[depth].sync()
            for at, node in enumerate(nodes):
                for group in GROUPS:
                    known = fleet.setdefault((at, group), leaf(node, group))
                    fresh = leaf(node, group)
                    for computer in (known, fresh):
                        answer = told(computer, pack)
                        if at <= depth:
                            assert answer == wanted[group], f"{node.name}, group {group}"

    def everywhere(*answer):
        return dict.fromkeys(GROUPS, answer if answer[0] else None)

    all_scan(everywhere(100, "PreDeploymentCheck"))
    # Approved for everybody, once more for a group that inherits it; a nested group goes without.
    top.admin.approve(SERVICE_PACK, "All Computers")
    top.admin.approve(SERVICE_PACK, "Servers")
    top.admin.unapprove(SERVICE_PACK, "Pilots")
    approved = {None: (100, "Install"), "Servers": (100, "Install"), "Pilots": (100, "PreDeploymentCheck")}
    all_scan(approved)
    # The new revision arrives.
    top.put(replace(pack, revision=101))
    all_scan({group: (101, action) for group, (_, action) in approved.items()})
    # The same revision once more, and a restart of every server.
    top.put(replace(pack, revision=101))
    for node in nodes:
        node.process.kill()
        node.process.wait()
        node.start()
    for (at, _), computer in fleet.items():
        computer.base = nodes[at].base
    for parent, node in zip(nodes, nodes[1:], strict=False):
        node.below(parent, "--replica")
    all_scan({group: (101, action) for group, (_, action) in approved.items()})
    # The article's remedy: declined, approved, declined again; then approved for good.
    top.admin.decline(SERVICE_PACK)
    all_scan(everywhere(None))
    top.admin.approve(SERVICE_PACK, "All Computers")
    all_scan(everywhere(101, "Install"))
    top.admin.decline(SERVICE_PACK)
    all_scan(everywhere(None))
    top.put(replace(pack, revision=102))
    all_scan(everywhere(None))
    top.admin.approve(SERVICE_PACK, "Servers")
    all_scan({None: (102, "PreDeploymentCheck"), "Servers": (102, "Install"), "Pilots": (102, "Install")})
    for node in nodes[1:]:
        assert node.decisions(SERVICE_PACK) == top.decisions(SERVICE_PACK), node.name
