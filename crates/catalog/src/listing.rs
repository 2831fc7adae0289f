//! Catalog: what lists and detail pages show of a revision.

use crate::document::LocalizedText;
use crate::{Traits, UpdateDocument};
use sluicegate_terms::{CategoryKind, Sha1Digest, Sha256Digest, Timestamp, UpdateId};

/// One file of a revision (`Files/File`, or an `EulaFile`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FileEntry {
    /// The name, with its ending; the content path keeps the ending.
    pub name: String,
    /// The length in bytes; the real file must have exactly it (observed-behaviour 5).
    pub size: u64,
    /// The digest that names it.
    pub sha1: Sha1Digest,
    /// The digest that proves it, when declared.
    pub sha256: Option<Sha256Digest>,
    /// When it was made.
    pub modified: Option<Timestamp>,
    /// `PatchingType` (or `PatchingTypePreferred`), for example `SelfContained` or `Express`.
    pub patching: Option<String>,
}

/// What an administrator sees of a revision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// In the default language, else English, else whichever comes first; the update id when there are no texts.
    pub title: String,
    /// In the same language; may be empty.
    pub description: String,
    /// Knowledge base articles.
    pub kb: Vec<String>,
    /// Security severity.
    pub severity: Option<String>,
    /// Security bulletins.
    pub bulletins: Vec<String>,
    /// CVE names.
    pub cves: Vec<String>,
    /// The categories it stands under, in document order (`IsCategory` clauses). A document does not say which
    /// of them is a classification: [`Listing::classify`] sorts them.
    pub categories: Vec<UpdateId>,
    /// Its classification, once [`Listing::classify`] was asked.
    pub classification: Option<UpdateId>,
    /// Its products and product families, once [`Listing::classify`] was asked.
    pub products: Vec<UpdateId>,
    /// When it was published.
    pub created: Option<Timestamp>,
    /// Where more is said.
    pub more_info_url: Option<String>,
    /// Where help is.
    pub support_url: Option<String>,
    /// The handler's URI.
    pub handler: Option<String>,
    /// Whether and when it restarts the computer, as written.
    pub reboot: Option<String>,
    /// It can be removed again.
    pub can_uninstall: bool,
    /// What few decisions ask for.
    pub traits: Traits,
    /// Its files.
    pub files: Vec<FileEntry>,
    /// The languages of its texts, in document order.
    pub languages: Vec<String>,
    /// The languages that its files are for; empty is all.
    pub file_languages: Vec<String>,
}

impl Listing {
    /// Sorts [`Listing::categories`] by what they are. `kind_of` answers the level of a category that is
    /// present; a category that is not stays unsorted.
    pub fn classify(&mut self, kind_of: impl Fn(UpdateId) -> Option<CategoryKind>) {
        self.classification = None;
        self.products.clear();
        for &category in &self.categories {
            match kind_of(category) {
                Some(CategoryKind::UpdateClassification) => {
                    self.classification.get_or_insert(category);
                }
                Some(CategoryKind::Product | CategoryKind::ProductFamily) => self.products.push(category),
                Some(CategoryKind::Company) | None => {}
            }
        }
    }
}

impl UpdateDocument {
    /// The texts to show: default language, else English, else the first.
    #[must_use]
    pub fn text(&self) -> Option<&LocalizedText> {
        let in_language = |tag: &str| self.texts.iter().find(|text| text.language.as_str() == tag);
        let default =
            self.properties.default_language.as_ref().and_then(|language| in_language(language.as_str()));
        default.or_else(|| in_language("en")).or_else(|| self.texts.first())
    }

    /// What lists show of this revision.
    #[must_use]
    pub fn listing(&self) -> Listing {
        let text = self.text();
        let properties = &self.properties;
        let mut categories: Vec<UpdateId> = Vec::new();
        for clause in self.relationships.prerequisites.iter().filter(|clause| clause.is_category) {
            for &id in &clause.any_of {
                if !categories.contains(&id) {
                    categories.push(id);
                }
            }
        }
        Listing {
            title: text.map_or_else(|| self.identity.update.to_string(), |text| text.title.clone()),
            description: text.map(|text| text.description.clone()).unwrap_or_default(),
            kb: properties.kb.clone(),
            severity: properties.severity.clone(),
            bulletins: properties.bulletins.clone(),
            cves: properties.cves.clone(),
            categories,
            classification: None,
            products: Vec::new(),
            created: properties.created,
            more_info_url: text.and_then(|text| text.more_info_url.clone()),
            support_url: text
                .and_then(|text| text.support_url.clone())
                .or_else(|| properties.support_url.clone()),
            handler: properties.handler.clone(),
            reboot: properties.reboot.clone(),
            can_uninstall: properties.can_uninstall,
            traits: self.traits(),
            files: self.files.clone(),
            languages: self.texts.iter().map(|text| text.language.as_str().to_owned()).collect(),
            file_languages: properties.languages.iter().map(|tag| tag.as_str().to_owned()).collect(),
        }
    }
}
