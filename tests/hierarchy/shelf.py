"""The catalog at the top of the trees: a company with products, and updates of every kind with files."""

from tests.support.bench import payload
from tests.support.documents import Document, Payload, category, detectoid, software


class Shelf:
    """Documents with ids of their own for each tag, and new revisions of them."""

    def __init__(self, tag: str, updates: int = 12):
        self.tag = tag
        named = self.named
        self.company = category(named("company"), "Company", title="Contoso")
        self.family = category(named("family"), "ProductFamily", [self.company.id], "Contoso Windows")
        self.product = category(named("product"), "Product", [self.family.id], "Contoso Desk")
        self.other = category(named("other"), "Product", [self.family.id], "Contoso Chair")
        self.security = category(named("security"), "UpdateClassification", title="Security Updates")
        self.tools = category(named("tools"), "UpdateClassification", title="Tools")
        self.present = detectoid(named("present"), [[self.product.id]], title="Contoso Desk is installed")
        self.fixes = [self.fix(f"fix {n}", size=2_000 + 7_000 * (n % 5)) for n in range(updates)]
        # Text over 5,120 bytes of UTF-16, so that it travels as a Cabinet.
        self.long = self.fix("long", titles={f"{a}{b}": f"{a}{b} " * 40 for a in "aeo" for b in "nmlrs"})
        self.part = software(named("part"), [[self.product.id]], [], files=[payload(named("part.msp"))])
        self.bundle = Document(
            named("bundle"),
            title="A bundle",
            prerequisites=[[self.present.id]],
            categories=[[self.product.id], [self.security.id]],
            bundles=[[self.part]],
            deployable=True,
        )
        self.licensed = self.fix("licensed", eula=Payload(named("licence.txt"), named("You may.").encode()))
        self.chair = self.fix("chair", product=self.other, kind=self.tools)

    def named(self, text: str) -> str:
        return f"{self.tag} {text}"

    def fix(self, text: str, product=None, kind=None, size: int = 3_000, **more) -> Document:
        """An update with a file, for computers that have the product."""
        product, kind = product or self.product, kind or self.security
        more = dict(files=[payload(self.named(text + ".cab"), size)]) | more
        belongs = [[product.id], [kind.id]]
        return software(self.named(text), [[self.present.id]], belongs, deployable=True, **more)

    @property
    def categories(self) -> list[Document]:
        return [self.company, self.family, self.product, self.other, self.security, self.tools, self.present]

    @property
    def updates(self) -> list[Document]:
        return [*self.fixes, self.long, self.part, self.bundle, self.licensed, self.chair]

    @property
    def all(self) -> list[Document]:
        return [*self.categories, *self.updates]

    def stock(self, node) -> None:
        """Puts everything into a server, files too."""
        node.put(*self.all)
        node.put_files(*self.updates)
