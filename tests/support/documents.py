"""Writes small update documents in the shape of MS-WUSSS update metadata, for checks that need a catalog."""

import hashlib
import uuid
from base64 import b64encode
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

MSUS = "http://schemas.microsoft.com/msus/2002/12/"
HANDLERS = MSUS + "UpdateHandlers/"
NAMESPACES = {
    "upd": MSUS + "Update",
    "bar": MSUS + "BaseApplicabilityRules",
    "lar": MSUS + "LogicalApplicabilityRules",
    "cat": HANDLERS + "Category",
    "cmd": HANDLERS + "CommandLineInstallation",
    "drv": HANDLERS + "WindowsDriver",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
SPACE = uuid.UUID("5b1f1c1e-7a35-4c27-9c0b-1a5f0a3d9e11")
TRUE = "<lar:True />"
FALSE = "<lar:False />"
CREATED = "2026-09-02T08:00:00.000Z"


def guid(name: str) -> str:
    """The same id for the same name, in every run."""
    return str(uuid.uuid5(SPACE, name))


def attributes(**values) -> str:
    return "".join(f" {name}={quoteattr(str(value))}" for name, value in values.items() if value is not None)


@dataclass(frozen=True)
class Payload:
    """A file of an update: its name and its bytes."""

    name: str
    data: bytes

    @property
    def sha1(self) -> bytes:
        return hashlib.sha1(self.data).digest()

    @property
    def digest(self) -> str:
        """Base64 of the SHA-1, as documents and messages write it."""
        return b64encode(self.sha1).decode()

    @property
    def path(self) -> str:
        """Where a server keeps it (observed-behaviour 5)."""
        hexadecimal = self.sha1.hex().upper()
        ending = "." + self.name.rsplit(".", 1)[1] if "." in self.name else ""
        return f"/Content/{hexadecimal[-2:]}/{hexadecimal}{ending}"

    def markup(self) -> str:
        sha256 = b64encode(hashlib.sha256(self.data).digest()).decode()
        head = attributes(
            Digest=self.digest,
            DigestAlgorithm="SHA1",
            FileName=self.name,
            Size=len(self.data),
            Modified="2026-09-02T07:00:00Z",
        )
        return f'<upd:File{head}><upd:AdditionalDigest Algorithm="SHA256">{sha256}</upd:AdditionalDigest></upd:File>'


@dataclass
class Document:
    """One revision. Clauses are lists of update ids: all clauses must hold, each by any of its updates."""

    name: str
    kind: str = "Software"
    revision: int = 100
    title: str | None = None
    titles: dict[str, str] = field(default_factory=dict)
    deployable: bool = False
    removable: bool = False
    prerequisites: list[list[str]] = field(default_factory=list)
    categories: list[list[str]] = field(default_factory=list)
    bundles: list[list["Document"]] = field(default_factory=list)
    supersedes: list[str] = field(default_factory=list)
    installed: str | None = None
    installable: str | None = None
    metadata: str = ""
    files: list[Payload] = field(default_factory=list)
    category: str | None = None
    handler: str | None = None
    eula: Payload | None = None
    kb: str | None = None
    severity: str | None = None
    publication: str = "Published"
    update_id: str | None = None
    languages: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Follows from the name unless it was given."""
        return self.update_id or guid(self.name)

    @property
    def identity(self) -> tuple[str, int]:
        return self.id, self.revision

    def properties(self) -> str:
        size = sum(len(file.data) for file in self.files)
        head = attributes(
            UpdateType=self.kind,
            DefaultPropertiesLanguage="en",
            ExplicitlyDeployable="true" if self.deployable else None,
            Handler=HANDLERS + self.handler if self.handler else None,
            MaxDownloadSize=size if self.files or self.deployable else None,
            MinDownloadSize=0 if self.files or self.deployable else None,
            MsrcSeverity=self.severity,
            EulaID=guid(self.name + " eula") if self.eula else None,
            PublicationState=self.publication,
            CreationDate=CREATED,
            PublisherID=guid("publisher"),
        )
        children = '<upd:InstallationBehavior Impact="Minor" />' if self.files else ""
        if self.removable:
            children += "<upd:UninstallationBehavior />"
        if self.kb:
            children += f"<upd:KBArticleID>{self.kb}</upd:KBArticleID>"
        children += "".join(f"<upd:Language>{tag}</upd:Language>" for tag in self.languages)
        return f"<upd:Properties{head}>{children}</upd:Properties>"

    def texts(self) -> str:
        titles = {"en": self.title or self.name} | self.titles
        parts = [
            f"<upd:LocalizedProperties><upd:Language>{language}</upd:Language><upd:Title>{escape(title)}</upd:Title>"
            f"<upd:Description>{escape(title)}, described.</upd:Description></upd:LocalizedProperties>"
            for language, title in titles.items()
        ]
        if self.eula:
            head = attributes(
                Digest=self.eula.digest,
                DigestAlgorithm="SHA1",
                FileName=self.eula.name,
                Size=len(self.eula.data),
                Language="en",
            )
            parts.append(f"<upd:EulaFile{head} />")
        return f"<upd:LocalizedPropertiesCollection>{''.join(parts)}</upd:LocalizedPropertiesCollection>"

    def relationships(self) -> str:
        parts = []
        if self.prerequisites or self.categories:
            inner = ""
            for clause in self.prerequisites:
                members = "".join(f'<upd:UpdateIdentity UpdateID="{one}" />' for one in clause)
                inner += members if len(clause) == 1 else f"<upd:AtLeastOne>{members}</upd:AtLeastOne>"
            for clause in self.categories:
                members = "".join(f'<upd:UpdateIdentity UpdateID="{one}" />' for one in clause)
                inner += f'<upd:AtLeastOne IsCategory="true">{members}</upd:AtLeastOne>'
            parts.append(f"<upd:Prerequisites>{inner}</upd:Prerequisites>")
        if self.bundles:
            inner = ""
            for clause in self.bundles:
                members = "".join(
                    f'<upd:UpdateIdentity UpdateID="{one.id}" RevisionNumber="{one.revision}" />' for one in clause
                )
                inner += f"<upd:AtLeastOne>{members}</upd:AtLeastOne>"
            parts.append(f"<upd:BundledUpdates>{inner}</upd:BundledUpdates>")
        if self.supersedes:
            inner = "".join(f'<upd:UpdateIdentity UpdateID="{one}" />' for one in self.supersedes)
            parts.append(f"<upd:SupersededUpdates>{inner}</upd:SupersededUpdates>")
        return f"<upd:Relationships>{''.join(parts)}</upd:Relationships>" if parts else ""

    def rules(self) -> str:
        parts = ""
        if self.installed:
            parts += f"<upd:IsInstalled>{self.installed}</upd:IsInstalled>"
        if self.installable:
            parts += f"<upd:IsInstallable>{self.installable}</upd:IsInstallable>"
        if self.metadata:
            parts += f"<upd:Metadata>{self.metadata}</upd:Metadata>"
        return f"<upd:ApplicabilityRules>{parts}</upd:ApplicabilityRules>" if parts else ""

    def handling(self) -> str:
        if self.category:
            return (
                f'<upd:HandlerSpecificData xsi:type="cat:Category"><cat:CategoryInformation CategoryType="{self.category}" />'
                "</upd:HandlerSpecificData>"
            )
        if self.handler == "CommandLineInstallation" and self.files:
            return (
                '<upd:HandlerSpecificData xsi:type="cmd:CommandLineInstallation">'
                f"<cmd:InstallCommand{attributes(Program=self.files[0].name, Arguments='/q')}>"
                '<cmd:ReturnCode Code="0" Result="Succeeded" /></cmd:InstallCommand></upd:HandlerSpecificData>'
            )
        return ""

    def xml(self) -> str:
        spaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
        files = f"<upd:Files>{''.join(file.markup() for file in self.files)}</upd:Files>" if self.files else ""
        return (
            f"<upd:Update{spaces}>"
            f'<upd:UpdateIdentity UpdateID="{self.id}" RevisionNumber="{self.revision}" />'
            f"{self.properties()}{self.texts()}{self.relationships()}{self.rules()}{files}{self.handling()}"
            "</upd:Update>"
        )

    def bytes(self) -> bytes:
        return self.xml().encode()


def category(
    name: str, kind: str, parents: list[str] = (), title: str | None = None, installed: str = TRUE
) -> Document:
    """A category: Company, ProductFamily, Product or UpdateClassification."""
    return Document(
        name=name,
        kind="Category",
        title=title,
        category=kind,
        handler="Category",
        categories=[[parent] for parent in parents],
        installed=installed,
    )


def detectoid(name: str, prerequisites: list[list[str]], installed: str = TRUE, title: str | None = None) -> Document:
    return Document(name=name, kind="Detectoid", title=title, prerequisites=prerequisites, installed=installed)


def software(name: str, prerequisites: list[list[str]], categories: list[list[str]], **more) -> Document:
    """Software with its rules: not installed, installable."""
    settings = dict(installed=FALSE, installable=TRUE)
    if more.get("files"):
        settings["handler"] = "CommandLineInstallation"
    return Document(name=name, prerequisites=prerequisites, categories=categories, **(settings | more))


def driver(
    name: str,
    categories: list[list[str]],
    hardware: list[dict],
    driver_class: str = "Net",
    provider: str = "Contoso",
    manufacturer: str = "Contoso",
    **more,
) -> Document:
    """A driver. Each entry of `hardware`: id, date, version, and optionally scores (key to value, 0 to 255),
    computers (INF-targeted) and distribution (distribution-targeted) lists of computer hardware ids.

    The children of WindowsDriverMetaData are those MS-WUSP 3.1.1.1 names.
    """
    entries = ""
    for entry in hardware:
        head = attributes(
            HardwareID=entry["id"],
            DriverVerDate=entry["date"],
            DriverVerVersion=entry["version"],
            WhqlDriverID=entry.get("whql", 1),
            Class=driver_class,
            Company="Contoso",
            Provider=provider,
            Manufacturer=manufacturer,
            Model=entry.get("model", "Contoso Adapter"),
        )
        inner = "".join(
            f"<drv:FeatureScore{attributes(OperatingSystem=key, FeatureScore=f'{value:02X}')} />"
            for key, value in entry.get("scores", {}).items()
        )
        for tag, key in (("Distribution", "distribution"), ("Target", "computers")):
            inner += "".join(
                f"<drv:{tag}ComputerHardwareId>{one}</drv:{tag}ComputerHardwareId>" for one in entry.get(key, [])
            )
        entries += f"<drv:WindowsDriverMetaData{head}>{inner}</drv:WindowsDriverMetaData>"
    return Document(
        name=name,
        kind="Driver",
        categories=categories,
        deployable=True,
        installed="<drv:WindowsDriverInstalled />",
        installable="<drv:WindowsDriverInstallable />",
        metadata=entries,
        handler="WindowsDriver",
        **more,
    )


def bundle(documents: list[Document]) -> dict[str, bytes]:
    """Documents by file name, as an import takes them."""
    return {f"{document.id}-r{document.revision}.xml": document.bytes() for document in documents}
