//! Catalog: from a document's bytes to a checked [`UpdateDocument`]. Values are found by the unqualified paths of
//! MS-WUSP 3.1.1.1 and MS-WSUSSS 3.1.1.1.

use crate::document::{CategoryInfo, EulaFile, LocalizedText, Properties, Relationships};
use crate::fragments::{self, Eula, Fragments, Names};
use crate::xml::{Element, Tree};
use crate::{CatalogError, Clause, FileEntry, Limits, Reason, ScanRecord, UpdateDocument, encoding, traits};
use core::str::FromStr;
use sha2::{Digest as _, Sha256};
use sluicegate_terms::{
    Guid, Locale, RevisionNumber, Sha1Digest, Sha256Digest, TermError, UpdateId, UpdateIdentity, UpdateKind,
};

#[path = "parse_driver.rs"]
pub(crate) mod driver;

/// Most clauses, alternatives, superseded updates, files, texts or drivers of one document, each.
pub(crate) const MAX_ITEMS: usize = 100_000;

/// Reads and checks one update document: UTF-8 or UTF-16, with or without byte order mark and declaration.
///
/// # Errors
/// [`CatalogError`] with the place and reason; the document has no effect then.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<UpdateDocument, CatalogError> {
    let text = encoding::text_of(bytes, limits)?;
    let tree = Tree::document(&text, limits)?;
    let root = tree.roots().next().filter(|root| root.local() == "Update");
    let root = root.ok_or_else(|| CatalogError::new("document", 0, Reason::NotAnUpdate))?;
    let element = required(root, "UpdateIdentity")?;
    let identity = full_identity(element)?;
    read(root, identity).map_err(|error| error.for_update(identity.update))
}

impl ScanRecord {
    /// The record as far as a Core fragment tells it, which is what an agent has: the level of a category and
    /// whether the revision is expired stand elsewhere and are `None` and `false` here.
    ///
    /// # Errors
    /// [`CatalogError`] as for whole documents.
    pub fn from_core(core: &str, limits: &Limits) -> Result<Self, CatalogError> {
        let tree = Tree::fragment(core, limits)?;
        let section = |name: &'static str| tree.roots().find(|root| root.local() == name);
        let needed = |name: &'static str| {
            section(name).ok_or_else(|| CatalogError::new("fragment", 0, Reason::MissingElement(name)))
        };
        let identity = full_identity(needed("UpdateIdentity")?)?;
        let read = || -> Result<Self, CatalogError> {
            let properties = needed("Properties")?;
            let relationships = relationships(section("Relationships"), identity.update)?;
            Ok(Self {
                explicitly_deployable: flag(properties, "ExplicitlyDeployable")?,
                prerequisites: relationships.prerequisites,
                bundles: relationships.bundles,
                supersedes: relationships.supersedes,
                drivers: driver::entries(section("ApplicabilityRules"))?,
                ..Self::new(identity, term(properties, "UpdateType")?)
            })
        };
        read().map_err(|error| error.for_update(identity.update))
    }
}

fn read(root: Element<'_>, identity: UpdateIdentity) -> Result<UpdateDocument, CatalogError> {
    for name in [
        "UpdateIdentity",
        "Properties",
        "LocalizedPropertiesCollection",
        "Relationships",
        "ApplicabilityRules",
        "Files",
        "HandlerSpecificData",
    ] {
        optional(root, name)?;
    }
    let properties_element = required(root, "Properties")?;
    let kind: UpdateKind = term(properties_element, "UpdateType")?;
    let properties = properties(properties_element)?;
    let category = match (kind, category_information(root)?) {
        (UpdateKind::Category, None) => {
            return Err(fail(root, Reason::MissingElement("CategoryInformation")));
        }
        (UpdateKind::Category, category) => category,
        _ => None,
    };
    let drivers = driver::entries(root.child("ApplicabilityRules"))?;
    if kind == UpdateKind::Driver && drivers.is_empty() {
        // "There is at least one entry in the driver table" (MS-WUSP 3.1.1.1).
        return Err(fail(root, Reason::MissingElement("WindowsDriverMetaData")));
    }
    let collection = optional(root, "LocalizedPropertiesCollection")?;
    let (texts, localized) = texts(collection)?;
    let (eulas, eula_fragments) = eulas(collection)?;
    Ok(UpdateDocument {
        identity,
        kind,
        category,
        properties,
        texts,
        relationships: relationships(root.child("Relationships"), identity.update)?,
        files: files(root)?,
        drivers,
        eulas,
        processors: root.child("ApplicabilityRules").map(traits::processors).unwrap_or_default(),
        fragments: Fragments {
            core: fragments::core(root),
            extended: fragments::extended(root),
            localized,
            eulas: eula_fragments,
        },
        content: content_digest(root),
    })
}

/// Hashes the document as if written without namespaces and formatting.
fn content_digest(root: Element<'_>) -> Sha256Digest {
    struct Hasher(Sha256);
    impl core::fmt::Write for Hasher {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            self.0.update(text.as_bytes());
            Ok(())
        }
    }
    let mut hasher = Hasher(Sha256::new());
    fragments::write_element(&mut hasher, root, Names::Core);
    Sha256Digest(hasher.0.finalize().into())
}

fn properties(element: Element<'_>) -> Result<Properties, CatalogError> {
    let words = |name: &str| -> Vec<String> {
        let all = element.children().filter(|child| child.local() == name);
        all.map(|child| child.text().trim().to_owned()).filter(|text| !text.is_empty()).collect()
    };
    let publication = element.attribute("PublicationState").unwrap_or("Published");
    let max_download_size = match element.attribute("MaxDownloadSize") {
        None => None,
        Some(value) => Some(number(element, "MaxDownloadSize", value, "a number of bytes")?),
    };
    Ok(Properties {
        default_language: optional_term(element, "DefaultPropertiesLanguage")?,
        explicitly_deployable: flag(element, "ExplicitlyDeployable")?,
        auto_select_on_web_sites: flag(element, "AutoSelectOnWebSites")?,
        os_upgrade: flag(element, "OSUpgrade")?,
        expired: publication == "Expired",
        created: optional_term(element, "CreationDate")?,
        handler: element.attribute("Handler").map(str::to_owned),
        eula_id: optional_term::<Guid>(element, "EulaID")?,
        max_download_size,
        kb: words("KBArticleID"),
        languages: languages(&words("Language")),
        severity: element.attribute("MsrcSeverity").filter(|word| !word.is_empty()).map(str::to_owned),
        bulletins: words("SecurityBulletinID"),
        cves: words("CveID"),
        support_url: words("SupportUrl").into_iter().next(),
        reboot: element
            .child("InstallationBehavior")
            .and_then(|behaviour| behaviour.attribute("RebootBehavior"))
            .map(str::to_owned),
        can_uninstall: element.child("UninstallationBehavior").is_some(),
        may_ask: match element.child("InstallationBehavior") {
            Some(behaviour) => flag(behaviour, "CanRequestUserInput")?,
            None => false,
        },
        beta: flag(element, "IsBeta")?,
    })
}

/// None when one of them stands for all (MS-WSUSSS 2.2.5.2), or is none that we know: what is meant for everybody
/// must not be kept from anybody.
fn languages(words: &[String]) -> Vec<Locale> {
    let neutral = |word: &String| ["all", "NeutralLanguage"].iter().any(|all| all.eq_ignore_ascii_case(word));
    if words.iter().any(neutral) {
        return Vec::new();
    }
    words.iter().map(|word| word.parse()).collect::<Result<_, _>>().unwrap_or_default()
}

fn category_information(root: Element<'_>) -> Result<Option<CategoryInfo>, CatalogError> {
    let Some(element) = root.child("HandlerSpecificData").and_then(|data| data.child("CategoryInformation"))
    else {
        return Ok(None);
    };
    let display_order = match element.attribute("DisplayOrder") {
        None => None,
        Some(value) => Some(number(element, "DisplayOrder", value, "a whole number")?),
    };
    Ok(Some(CategoryInfo {
        kind: term(element, "CategoryType")?,
        prohibits_subcategories: flag(element, "ProhibitsSubcategories")?,
        prohibits_updates: flag(element, "ProhibitsUpdates")?,
        display_order,
        excluded_by_default: flag(element, "ExcludedByDefault")?,
    }))
}

type Texts = (Vec<LocalizedText>, Vec<(Locale, String)>);

fn texts(collection: Option<Element<'_>>) -> Result<Texts, CatalogError> {
    let mut out: Texts = Default::default();
    for element in named(collection, "LocalizedProperties") {
        let language = required(element, "Language")?;
        let language: Locale = value(element, "Language", language.text().trim())?;
        if out.0.iter().any(|text| text.language == language) {
            return Err(fail(element, Reason::RepeatedLanguage(language)));
        }
        let inner = |name: &str| element.child(name).map(|child| child.text().into_owned());
        let title = inner("Title").ok_or_else(|| fail(element, Reason::MissingElement("Title")))?;
        out.1.push((language.clone(), fragments::single(element)));
        out.0.push(LocalizedText {
            language,
            title,
            description: inner("Description").unwrap_or_default(),
            more_info_url: inner("MoreInfoUrl"),
            support_url: inner("SupportUrl"),
        });
        bounded(element, "languages", out.0.len())?;
    }
    Ok(out)
}

fn eulas(collection: Option<Element<'_>>) -> Result<(Vec<EulaFile>, Vec<Eula>), CatalogError> {
    let mut files = Vec::new();
    let mut fragments = Vec::new();
    for element in named(collection, "EulaFile") {
        let language: Locale = term(element, "Language")?;
        let geo_id = element.attribute("GeoId").filter(|id| !id.is_empty()).map(str::to_owned);
        fragments.push(Eula {
            locale: language.clone(),
            geo_id: geo_id.clone(),
            xml: fragments::single(element),
        });
        files.push(EulaFile { language, geo_id, file: file(element)? });
        bounded(element, "licence files", files.len())?;
    }
    Ok((files, fragments))
}

fn files(root: Element<'_>) -> Result<Vec<FileEntry>, CatalogError> {
    let mut files = Vec::new();
    for element in named(root.child("Files"), "File") {
        files.push(file(element)?);
        bounded(element, "files", files.len())?;
    }
    Ok(files)
}

fn file(element: Element<'_>) -> Result<FileEntry, CatalogError> {
    let algorithm = attribute(element, "DigestAlgorithm")?;
    if algorithm != "SHA1" {
        return Err(unexpected(element, "DigestAlgorithm", algorithm, "SHA1"));
    }
    let digest = attribute(element, "Digest")?;
    let sha1 = Sha1Digest::from_base64(digest).map_err(|problem| bad(element, "Digest", problem))?;
    let name = attribute(element, "FileName")?;
    // The name becomes part of a path and of a URL.
    if name.is_empty()
        || name.len() > 255
        || name.contains(['/', '\\', '\0'])
        || name.chars().any(char::is_control)
    {
        return Err(unexpected(element, "FileName", name, "a file name of up to 255 bytes without slashes"));
    }
    let size = attribute(element, "Size")?;
    let size: i64 = number(element, "Size", size, "0 or more bytes")?;
    let size =
        u64::try_from(size).map_err(|_| unexpected(element, "Size", &size.to_string(), "0 or more bytes"))?;
    let mut sha256 = None;
    for digest in element.children().filter(|child| child.local() == "AdditionalDigest") {
        if digest.attribute("Algorithm") == Some("SHA256") {
            let read = Sha256Digest::from_base64(&digest.text());
            sha256 = Some(read.map_err(|problem| bad(digest, "AdditionalDigest", problem))?);
        }
    }
    let patching =
        ["PatchingType", "PatchingTypePreferred"].into_iter().find_map(|name| element.attribute(name));
    Ok(FileEntry {
        name: name.to_owned(),
        size,
        sha1,
        sha256,
        modified: optional_term(element, "Modified")?,
        patching: patching.map(str::to_owned),
    })
}

fn relationships(element: Option<Element<'_>>, this: UpdateId) -> Result<Relationships, CatalogError> {
    let mut out = Relationships::default();
    let Some(element) = element else { return Ok(out) };
    for clause in element.child("Prerequisites").into_iter().flat_map(Element::children) {
        match clause.local() {
            "UpdateIdentity" => {
                out.prerequisites.push(Clause::one(other(clause, this, "its prerequisites")?))
            }
            "AtLeastOne" => {
                let ids = named(Some(clause), "UpdateIdentity");
                let any_of =
                    ids.map(|id| other(id, this, "its prerequisites")).collect::<Result<Vec<_>, _>>()?;
                if any_of.is_empty() {
                    return Err(fail(clause, Reason::EmptyClause("the prerequisites")));
                }
                out.prerequisites.push(Clause { any_of, is_category: flag(clause, "IsCategory")? });
            }
            _ => {}
        }
        bounded(clause, "prerequisite clauses", out.prerequisites.len())?;
    }
    for clause in element.child("BundledUpdates").into_iter().flat_map(Element::children) {
        let members = match clause.local() {
            // Only AtLeastOne is specified; a bare identity can only mean a clause of one.
            "UpdateIdentity" => vec![member(clause, this)?],
            "AtLeastOne" => {
                let ids = named(Some(clause), "UpdateIdentity");
                ids.map(|id| member(id, this)).collect::<Result<Vec<_>, _>>()?
            }
            _ => continue,
        };
        if members.is_empty() {
            return Err(fail(clause, Reason::EmptyClause("the bundled updates")));
        }
        out.bundles.push(members);
        bounded(clause, "bundle clauses", out.bundles.len())?;
    }
    for id in named(element.child("SupersededUpdates"), "UpdateIdentity") {
        out.supersedes.push(other(id, this, "its superseded updates")?);
        bounded(id, "superseded updates", out.supersedes.len())?;
    }
    Ok(out)
}

fn other(element: Element<'_>, this: UpdateId, relation: &'static str) -> Result<UpdateId, CatalogError> {
    let update: UpdateId = term(element, "UpdateID")?;
    if update == this { Err(fail(element, Reason::SelfReference(relation))) } else { Ok(update) }
}

fn member(element: Element<'_>, this: UpdateId) -> Result<UpdateIdentity, CatalogError> {
    let identity = full_identity(element)?;
    if identity.update == this {
        Err(fail(element, Reason::SelfReference("its bundled updates")))
    } else {
        Ok(identity)
    }
}

fn full_identity(element: Element<'_>) -> Result<UpdateIdentity, CatalogError> {
    let update = term(element, "UpdateID")?;
    let revision = attribute(element, "RevisionNumber")?;
    let revision: i64 = number(element, "RevisionNumber", revision, "0 to 2147483647")?;
    let revision =
        RevisionNumber::new(revision).map_err(|problem| bad(element, "RevisionNumber", problem))?;
    Ok(UpdateIdentity { update, revision })
}

// Reading single values, with errors that name the element.

fn fail(element: Element<'_>, reason: Reason) -> CatalogError {
    CatalogError::new(element.local(), element.offset(), reason)
}

fn bad(element: Element<'_>, name: &'static str, problem: TermError) -> CatalogError {
    fail(element, Reason::Value { name, problem })
}

fn unexpected(element: Element<'_>, name: &'static str, value: &str, expected: &'static str) -> CatalogError {
    fail(element, Reason::Unexpected { name, value: value.chars().take(60).collect(), expected })
}

fn bounded(element: Element<'_>, what: &'static str, count: usize) -> Result<(), CatalogError> {
    if count > MAX_ITEMS { Err(fail(element, Reason::TooMany { what, limit: MAX_ITEMS })) } else { Ok(()) }
}

fn named<'t>(parent: Option<Element<'t>>, name: &'static str) -> impl Iterator<Item = Element<'t>> {
    // In fragments the names of driver metadata have a letter.
    let bare = move |child: &Element<'t>| child.local().strip_prefix("d.").unwrap_or(child.local()) == name;
    parent.into_iter().flat_map(Element::children).filter(bare)
}

fn required<'t>(parent: Element<'t>, name: &'static str) -> Result<Element<'t>, CatalogError> {
    parent.child(name).ok_or_else(|| fail(parent, Reason::MissingElement(name)))
}

fn optional<'t>(parent: Element<'t>, name: &'static str) -> Result<Option<Element<'t>>, CatalogError> {
    let mut all = named(Some(parent), name);
    let first = all.next();
    match all.next() {
        Some(second) => Err(fail(second, Reason::RepeatedElement(name))),
        None => Ok(first),
    }
}

fn attribute<'t>(element: Element<'t>, name: &'static str) -> Result<&'t str, CatalogError> {
    element.attribute(name).ok_or_else(|| fail(element, Reason::MissingAttribute(name)))
}

fn value<T: FromStr<Err = TermError>>(
    element: Element<'_>,
    name: &'static str,
    text: &str,
) -> Result<T, CatalogError> {
    text.parse().map_err(|problem| bad(element, name, problem))
}

fn term<T: FromStr<Err = TermError>>(element: Element<'_>, name: &'static str) -> Result<T, CatalogError> {
    value(element, name, attribute(element, name)?)
}

fn optional_term<T: FromStr<Err = TermError>>(
    element: Element<'_>,
    name: &'static str,
) -> Result<Option<T>, CatalogError> {
    element.attribute(name).filter(|text| !text.is_empty()).map(|text| value(element, name, text)).transpose()
}

fn number<T: FromStr>(
    element: Element<'_>,
    name: &'static str,
    text: &str,
    expected: &'static str,
) -> Result<T, CatalogError> {
    text.trim().parse().map_err(|_| unexpected(element, name, text, expected))
}

/// An `xs:boolean`, false when absent.
fn flag(element: Element<'_>, name: &'static str) -> Result<bool, CatalogError> {
    match element.attribute(name).map(str::trim) {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(other) => Err(unexpected(element, name, other, "true or false")),
    }
}
