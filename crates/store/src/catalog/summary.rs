//! Store: the part of a revision's listing and files that becomes rows, in the compact form it waits in
//! until its import commits or its quarantine ends.

use crate::wire::{Malformed, Reader, put_bytes, put_option, put_u32, put_u64};
use sluicegate_catalog::{FileEntry, Listing};
use sluicegate_terms::{Guid, Sha1Digest, Sha256Digest, Timestamp, UpdateId};

/// What rows need of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Summary {
    pub(crate) title: String,
    /// Knowledge base articles, separated by commas.
    pub(crate) kb: String,
    /// Everything a search looks at, in lower case.
    pub(crate) search: String,
    pub(crate) created: Option<Timestamp>,
    pub(crate) categories: Vec<UpdateId>,
    pub(crate) files: Vec<FileRow>,
    /// Licence terms. In what waits since before this was kept, there is nothing to read: none.
    pub(crate) eula: Option<Guid>,
    /// The severity and the restart behaviour, as written; empty when absent, or as above.
    pub(crate) severity: String,
    pub(crate) reboot: String,
    /// What few decisions ask for, as its text; absent as above.
    pub(crate) traits: Option<String>,
    /// The languages that the files are for, one a line; empty is all, and as above.
    pub(crate) languages: String,
}

/// What rows need of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FileRow {
    pub(crate) sha1: Sha1Digest,
    pub(crate) size: u64,
    pub(crate) sha256: Option<Sha256Digest>,
    pub(crate) name: String,
}

impl Summary {
    /// Picks them from a listing; `files` may have more than the listing's (licence texts are files too).
    pub(crate) fn new(listing: Listing, files: Vec<FileEntry>, eula: Option<Guid>) -> Self {
        let mut search = listing.title.to_lowercase();
        for article in &listing.kb {
            search.push_str("\nkb");
            search.push_str(&article.to_lowercase());
        }
        for word in listing.bulletins.iter().chain(&listing.cves) {
            search.push('\n');
            search.push_str(&word.to_lowercase());
        }
        let file = |f: FileEntry| FileRow { sha1: f.sha1, size: f.size, sha256: f.sha256, name: f.name };
        Self {
            kb: listing.kb.join(","),
            search,
            created: listing.created,
            categories: listing.categories,
            files: files.into_iter().map(file).collect(),
            eula,
            severity: listing.severity.unwrap_or_default(),
            reboot: listing.reboot.unwrap_or_default(),
            traits: Some(listing.traits.to_text()),
            languages: listing.file_languages.join("\n"),
            title: listing.title,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128 + self.title.len() + self.search.len() + self.files.len() * 96);
        put_bytes(&mut out, self.title.as_bytes());
        put_bytes(&mut out, self.kb.as_bytes());
        put_bytes(&mut out, self.search.as_bytes());
        put_option(&mut out, self.created, |out, t| out.extend_from_slice(&t.ticks().to_le_bytes()));
        put_u32(&mut out, u32::try_from(self.categories.len()).unwrap_or(u32::MAX));
        self.categories.iter().for_each(|c| out.extend_from_slice(c.0.as_bytes()));
        put_u32(&mut out, u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        for file in &self.files {
            out.extend_from_slice(&file.sha1.0);
            put_u64(&mut out, file.size);
            put_option(&mut out, file.sha256, |out, d| out.extend_from_slice(&d.0));
            put_bytes(&mut out, file.name.as_bytes());
        }
        put_option(&mut out, self.eula, |out, id| out.extend_from_slice(id.as_bytes()));
        put_bytes(&mut out, self.severity.as_bytes());
        put_bytes(&mut out, self.reboot.as_bytes());
        if let Some(traits) = &self.traits {
            put_bytes(&mut out, traits.as_bytes());
            put_bytes(&mut out, self.languages.as_bytes());
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader(bytes);
        let title = r.text()?.to_owned();
        let kb = r.text()?.to_owned();
        let search = r.text()?.to_owned();
        let created = r.option(|r| r.array().map(i64::from_le_bytes).map(Timestamp::from_ticks))?;
        let categories = (0..r.count(16)?).map(|_| r.guid().map(UpdateId)).collect::<Result<_, _>>()?;
        let files = (0..r.count(33)?)
            .map(|_| {
                Ok(FileRow {
                    sha1: Sha1Digest(r.array()?),
                    size: r.u64()?,
                    sha256: r.option(|r| r.array().map(Sha256Digest))?,
                    name: r.text()?.to_owned(),
                })
            })
            .collect::<Result<_, _>>()?;
        let eula = if r.0.is_empty() { None } else { r.option(|r| r.guid())? };
        let (severity, reboot) = match r.0.is_empty() {
            true => (String::new(), String::new()),
            false => (r.text()?.to_owned(), r.text()?.to_owned()),
        };
        let traits = if r.0.is_empty() { None } else { Some(r.text()?.to_owned()) };
        let languages = if r.0.is_empty() { String::new() } else { r.text()?.to_owned() };
        if r.0.is_empty() {
            Ok(Self {
                title,
                kb,
                search,
                created,
                categories,
                files,
                eula,
                severity,
                reboot,
                traits,
                languages,
            })
        } else {
            Err(Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_comes_back_and_any_cut_is_noticed() {
        let summary = Summary {
            title: "Ein Titel – größer".to_owned(),
            kb: "5000001,5000002".to_owned(),
            search: "kb5000001".to_owned(),
            created: Some(Timestamp::from_unix_seconds(-5)),
            categories: vec![UpdateId(Guid::from_u128(7)), UpdateId(Guid::from_u128(8))],
            files: vec![
                FileRow { sha1: Sha1Digest([1; 20]), size: 1 << 40, sha256: None, name: "a.cab".to_owned() },
                FileRow {
                    sha1: Sha1Digest([2; 20]),
                    size: 0,
                    sha256: Some(Sha256Digest([3; 32])),
                    name: String::new(),
                },
            ],
            eula: Some(Guid::from_u128(9)),
            severity: "Important".to_owned(),
            reboot: "NeverReboots".to_owned(),
            traits: Some("removable cpu:9".to_owned()),
            languages: "de\nfr".to_owned(),
        };
        let bytes = summary.encode();
        assert_eq!(Summary::decode(&bytes), Ok(summary.clone()));
        let older = Summary { languages: String::new(), ..summary };
        let without_languages = bytes.len() - 4 - "de\nfr".len();
        assert_eq!(Summary::decode(&bytes[..without_languages]), Ok(older.clone()));
        let older = Summary { traits: None, ..older };
        let without_traits = without_languages - 4 - "removable cpu:9".len();
        assert_eq!(Summary::decode(&bytes[..without_traits]), Ok(older.clone()));
        let older = Summary { severity: String::new(), reboot: String::new(), ..older };
        let without_facets = without_traits - 8 - "Important".len() - "NeverReboots".len();
        assert_eq!(Summary::decode(&bytes[..without_facets]), Ok(older.clone()));
        let without_eula = without_facets - 17;
        assert_eq!(Summary::decode(&bytes[..without_eula]), Ok(Summary { eula: None, ..older }));
        let whole = [without_languages, without_traits, without_facets, without_eula];
        for cut in (0..bytes.len()).filter(|cut| !whole.contains(cut)) {
            assert_eq!(Summary::decode(&bytes[..cut]), Err(Malformed), "cut at {cut}");
        }
    }
}
