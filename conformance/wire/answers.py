"""The answers of the services as values. Namespaces are checked once here, order is kept."""

from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from .soap import local

# The children of SyncInfo and of Deployment in the order of their types (MS-WUSP 2.2.2.2.4).
SYNC_ORDER = [
    "NewUpdates",
    "OutOfScopeRevisionIDs",
    "ChangedUpdates",
    "Truncated",
    "NewCookie",
    "DeployedOutOfScopeRevisionIds",
    "DriverSyncNotNeeded",
]
DEPLOYMENT_ORDER = [
    "ID",
    "Action",
    "Deadline",
    "IsAssigned",
    "LastChangeTime",
    "DownloadPriority",
    "HardwareIds",
    "AutoSelect",
    "AutoDownload",
    "SupersedenceBehavior",
    "FlagBitmask",
    "ClientBehaviors",
]


def children(node: etree._Element) -> list[str]:
    """The names of the children, in order."""
    return [local(child) for child in node]


def child(node: etree._Element, name: str) -> etree._Element | None:
    """The child of that name in the node's own namespace."""
    space = etree.QName(node).namespace
    return node.find(f"{{{space}}}{name}" if space else name)


def child_text(node: etree._Element, name: str) -> str | None:
    found = child(node, name)
    return None if found is None else found.text or ""


def items(node: etree._Element, name: str) -> list[etree._Element]:
    """The members of the array `name`; absent means empty (observed-behaviour 1.3)."""
    holder = child(node, name)
    return [] if holder is None else list(holder)


def ints(node: etree._Element, name: str) -> list[int]:
    return [int(item.text) for item in items(node, name)]


def fragment(xml: str) -> etree._Element:
    """A rootless fragment as a tree. Its prefixes are written with a point, so it needs no declarations."""
    return etree.fromstring(f"<fragment>{xml}</fragment>", etree.XMLParser(resolve_entities=False, huge_tree=True))


@dataclass(frozen=True)
class Cookie:
    """MS-WUSP 2.2.3.5."""

    expiration: str
    data: str | None

    @property
    def expires(self) -> datetime:
        """The moment of expiry; fraction digits past microseconds are dropped."""
        stamp, _, fraction = self.expiration.rstrip("Z").partition(".")
        return datetime.fromisoformat(f"{stamp}.{(fraction + '000000')[:6]}+00:00")

    @classmethod
    def read(cls, node: etree._Element) -> "Cookie":
        assert children(node) == ["Expiration", "EncryptedData"], children(node)
        return cls(child_text(node, "Expiration"), child_text(node, "EncryptedData"))


@dataclass(frozen=True)
class Update:
    """One UpdateInfo of SyncUpdates (MS-WUSP 2.2.2.2.4)."""

    node: etree._Element

    @property
    def id(self) -> int:
        return int(child_text(self.node, "ID"))

    @property
    def deployment(self) -> etree._Element | None:
        return child(self.node, "Deployment")

    def deployed(self, name: str) -> str | None:
        return None if self.deployment is None else child_text(self.deployment, name)

    @property
    def action(self) -> str | None:
        return self.deployed("Action")

    @property
    def hardware_ids(self) -> list[str]:
        return [item.text for item in items(self.deployment, "HardwareIds")]

    @property
    def is_leaf(self) -> bool:
        return {"true": True, "false": False}[child_text(self.node, "IsLeaf")]

    @property
    def xml(self) -> str | None:
        return child_text(self.node, "Xml")

    @property
    def core(self) -> etree._Element:
        return fragment(self.xml)

    @property
    def update_id(self) -> str:
        return self.core.find("UpdateIdentity").get("UpdateID").lower()

    @property
    def revision(self) -> int:
        return int(self.core.find("UpdateIdentity").get("RevisionNumber"))

    @property
    def kind(self) -> str:
        return self.core.find("Properties").get("UpdateType")

    @property
    def clauses(self) -> list[list[str]]:
        """The prerequisites: all clauses must hold, each by any of its updates (MS-WUSP 3.1.1)."""
        found = []
        for node in self.core.iterfind("Relationships/Prerequisites/*"):
            members = [node] if node.tag == "UpdateIdentity" else node.findall("UpdateIdentity")
            found.append([member.get("UpdateID").lower() for member in members])
        return found

    @property
    def bundled(self) -> list[tuple[str, int]]:
        return [
            (node.get("UpdateID").lower(), int(node.get("RevisionNumber")))
            for node in self.core.iterfind("Relationships/BundledUpdates//UpdateIdentity")
        ]


@dataclass(frozen=True)
class Sync:
    """SyncUpdatesResult, or SyncPrinterCatalogResult, which has the same type."""

    node: etree._Element

    @property
    def new(self) -> list[Update]:
        return [Update(item) for item in items(self.node, "NewUpdates")]

    @property
    def out_of_scope(self) -> list[int]:
        return ints(self.node, "OutOfScopeRevisionIDs")

    @property
    def deployed_out_of_scope(self) -> list[int]:
        return ints(self.node, "DeployedOutOfScopeRevisionIds")

    @property
    def changed(self) -> list[Update]:
        return [Update(item) for item in items(self.node, "ChangedUpdates")]

    @property
    def truncated(self) -> bool:
        return {"true": True, "false": False}[child_text(self.node, "Truncated")]

    @property
    def cookie(self) -> Cookie:
        return Cookie.read(child(self.node, "NewCookie"))

    @property
    def driver_sync_not_needed(self) -> str | None:
        return child_text(self.node, "DriverSyncNotNeeded")
