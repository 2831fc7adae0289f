"""Stand-ins for updates that recorded documents name but that were not recorded themselves."""

from lxml import etree

from tests.support.documents import NAMESPACES, TRUE, Document

# What these ids are is known (observed-behaviour 8, Ids).
FAMILY = "6964aab4-c5b5-43bd-a17d-ffb4346a8e1d"
PRODUCT = "8c3fcc84-7410-4a95-8b89-a166a0190486"
CLASSIFICATION = "e0789628-ce08-4437-be74-2495b842f43b"


class Standin(Document):
    """A document under a given id instead of one that follows from its name."""

    @property
    def id(self) -> str:
        return self.name


def product(installed: str = TRUE) -> Standin:
    return Standin(
        PRODUCT, kind="Category", category="Product", handler="Category", categories=[[FAMILY]], installed=installed
    )


def classification() -> Standin:
    return Standin(CLASSIFICATION, kind="Category", category="UpdateClassification", handler="Category", installed=TRUE)


def detectoid(update_id: str, prerequisites=()) -> Standin:
    return Standin(
        update_id, kind="Detectoid", prerequisites=[list(clause) for clause in prerequisites], installed=TRUE
    )


def software(update_id: str, revision: int, prerequisites=()) -> Standin:
    return Standin(update_id, revision=revision, prerequisites=[list(clause) for clause in prerequisites])


def for_documents(documents: dict[str, bytes]) -> list[Standin]:
    """Everything the documents need and do not bring: prerequisites as categories or detectoids, bundled
    revisions as software. Superseded updates need not be there."""
    present: set[str] = set()
    wanted: dict[str, int | None] = {}
    for data in documents.values():
        root = etree.fromstring(data)
        present.add(root.find("upd:UpdateIdentity", NAMESPACES).get("UpdateID").lower())
        relations = root.find("upd:Relationships", NAMESPACES)
        if relations is None:
            continue
        for node in relations.iterfind("upd:Prerequisites//upd:UpdateIdentity", NAMESPACES):
            wanted.setdefault(node.get("UpdateID").lower(), None)
        for node in relations.iterfind("upd:BundledUpdates//upd:UpdateIdentity", NAMESPACES):
            wanted[node.get("UpdateID").lower()] = int(node.get("RevisionNumber"))
    known = {PRODUCT: product, CLASSIFICATION: classification}
    found = []
    for update_id, revision in wanted.items():
        if update_id in present:
            continue
        if update_id in known:
            found.append(known[update_id]())
        elif revision is None:
            found.append(detectoid(update_id))
        else:
            found.append(software(update_id, revision))
    return found
