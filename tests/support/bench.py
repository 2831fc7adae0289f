"""The catalog that checks with a catalog of their own use: a company, two products, and one update for
each rule. Names say what an update is for; ids follow from names."""

from functools import cached_property

from .documents import FALSE, Document, Payload, bundle, category, detectoid, driver, software

OTHER_PC = "11111111-2222-3333-4444-555555555555"
THIS_PC = "99999999-8888-7777-6666-555555555555"
FEATURE_KEY = "AMD64.10.0"


def payload(name: str, size: int = 3000) -> Payload:
    """A file whose bytes follow from its name, so that no two are alike."""
    seed = (name + ";").encode()
    return Payload(name, (seed * (size // len(seed) + 1))[:size])


class Bench:
    """The documents, by name. A tag keeps several benches apart in one server."""

    def __init__(self, tag: str = "bench"):
        self.tag = tag

    def name(self, text: str) -> str:
        return f"{self.tag} {text}"

    def __getitem__(self, text: str) -> Document:
        return self.documents[text]

    @property
    def all(self) -> list[Document]:
        return list(self.documents.values())

    def files(self) -> dict[str, bytes]:
        return bundle(self.all)

    @cached_property
    def documents(self) -> dict[str, Document]:
        found: dict[str, Document] = {}
        named = self.name

        def add(text: str, document: Document) -> Document:
            found[text] = document
            return document

        company = add("company", category(named("company"), "Company", title="Contoso"))
        family = add("family", category(named("family"), "ProductFamily", [company.id], "Workbench family"))
        product = add("product", category(named("product"), "Product", [family.id], "Workbench"))
        anvil = add("anvil", category(named("anvil"), "Product", [family.id], "Anvil"))
        add("quiet", category(named("quiet"), "Product", [family.id], "A product without updates"))
        security = add("security", category(named("security"), "UpdateClassification", title="Security Updates"))
        tools = add("tools", category(named("tools"), "UpdateClassification", title="Tools"))
        belongs = [[product.id], [security.id]]
        present = add("present", detectoid(named("present"), [[product.id]]))
        absent = add("absent", detectoid(named("absent"), [[product.id]], installed=FALSE))

        add(
            "plain",
            software(
                named("plain"),
                [[present.id]],
                belongs,
                title="A plain update",
                titles={"de": "Ein schlichtes Update", "pt-br": "Uma atualização simples"},
                files=[payload(named("plain.exe")), payload(named("plain.cab"), 70_000)],
                deployable=True,
                kb="900001",
                severity="Important",
            ),
        )
        add("either", software(named("either"), [[present.id, absent.id]], belongs, deployable=True))
        add("both", software(named("both"), [[present.id], [absent.id]], belongs, deployable=True))
        add("gated", software(named("gated"), [[absent.id]], belongs, deployable=True))
        add("newer", software(named("newer"), [[present.id]], belongs, deployable=True, supersedes=[found["plain"].id]))
        first = add("first part", software(named("first part"), [[product.id]], [], files=[payload(named("one.msp"))]))
        second = add(
            "second part", software(named("second part"), [[product.id]], [], files=[payload(named("two.psf"))])
        )
        inner = add("inner bundle", Document(named("inner bundle"), prerequisites=[[product.id]], bundles=[[second]]))
        add(
            "bundle",
            Document(
                named("bundle"),
                title="A bundle of two",
                prerequisites=[[present.id]],
                categories=belongs,
                bundles=[[first], [inner]],
                deployable=True,
            ),
        )
        add(
            "licensed",
            software(
                named("licensed"),
                [[present.id]],
                belongs,
                deployable=True,
                files=[payload(named("licensed.msi"))],
                eula=Payload(named("licence.txt"), b"You may use it."),
            ),
        )
        add("other product", software(named("other product"), [], [[anvil.id], [tools.id]], deployable=True))
        for spare in ("to approve", "to remove", "to decline", "to change", "to schedule"):
            removable = spare == "to remove"
            add(spare, software(named(spare), [[present.id]], belongs, deployable=True, removable=removable))

        drivers = [[product.id]]
        add("driver old", driver(named("driver old"), drivers, [self.hardware("2024-01-01", "1.0.0.0")]))
        add("driver new", driver(named("driver new"), drivers, [self.hardware("2025-01-01", "1.0.0.0")]))
        add("driver version", driver(named("driver version"), drivers, [self.hardware("2025-01-01", "1.0.0.9")]))
        add(
            "driver compatible",
            driver(named("driver compatible"), drivers, [self.hardware("2026-01-01", "9.0.0.0", self.generic)]),
        )
        add(
            "driver scored",
            driver(
                named("driver scored"),
                drivers,
                [
                    self.hardware("2023-01-01", "1.0.0.0", self.scored_device, scores={FEATURE_KEY: 10}),
                ],
            ),
        )
        add(
            "driver unscored",
            driver(
                named("driver unscored"),
                drivers,
                [
                    self.hardware("2026-01-01", "9.0.0.0", self.scored_device, scores={FEATURE_KEY: 200}),
                ],
            ),
        )
        add(
            "driver targeted",
            driver(
                named("driver targeted"),
                drivers,
                [
                    self.hardware("2022-01-01", "1.0.0.0", self.targeted_device, computers=[THIS_PC]),
                ],
            ),
        )
        add(
            "driver for others",
            driver(
                named("driver for others"),
                drivers,
                [
                    self.hardware("2026-02-01", "9.0.0.0", self.targeted_device, computers=[OTHER_PC]),
                ],
            ),
        )
        add(
            "driver for all",
            driver(
                named("driver for all"),
                drivers,
                [
                    self.hardware("2025-06-01", "5.0.0.0", self.targeted_device),
                ],
            ),
        )
        add(
            "printer driver",
            driver(
                named("printer driver"),
                drivers,
                [
                    self.hardware("2025-01-01", "2.0.0.0", self.printer),
                ],
                driver_class="Printer",
            ),
        )
        return found

    # Hardware ids of the bench's imaginary devices; the tag keeps benches apart.

    def hardware_id(self, text: str) -> str:
        return f"PCI\\{self.tag.upper()}&{text}"

    @property
    def adapter(self) -> str:
        return self.hardware_id("DEV_1")

    @property
    def generic(self) -> str:
        return self.hardware_id("CC_0200")

    @property
    def scored_device(self) -> str:
        return self.hardware_id("DEV_2")

    @property
    def targeted_device(self) -> str:
        return self.hardware_id("DEV_3")

    @property
    def printer(self) -> str:
        return self.hardware_id("PRINTER_4")

    def hardware(self, date: str, version: str, device: str | None = None, **more) -> dict:
        return dict(id=device or self.adapter, date=date, version=version, **more)
