//! Catalog: what the list of a package in a Cabinet says (`package.xml`). It only repeats which documents stand beside it,
//! and where their files are; so whole documents are good without it, and whoever imports them is told.

use super::{PACKAGE_MEMBER, PackageError, read};
use crate::Limits;
use sluicegate_terms::{Sha1Digest, UpdateIdentity};

/// Largest list that is read, in bytes.
pub const LARGEST_LISTING: u64 = 256 << 20;

/// What the list says.
#[derive(Debug, Default)]
pub struct Listing {
    /// Where Microsoft Update has files.
    pub addresses: Vec<(Sha1Digest, String)>,
    /// The revisions whose documents stand beside it, as far as it says which.
    pub revisions: Vec<UpdateIdentity>,
    /// Why it says nothing, and what that means: a sentence for whoever imports the package.
    pub unread: Option<String>,
}

impl Listing {
    /// Of a package that has a list which says nothing, or none.
    #[must_use]
    pub fn unread(why: &str) -> Self {
        let unread = format!(
            "{why}, so nothing says whether a document is missing in the package, and where \
             Microsoft Update has its files; the documents in it are taken in. If it was written with a list that is \
             whole, copy it again, or export it anew, and import that too"
        );
        Self { unread: Some(unread), ..Self::default() }
    }

    /// Of a package without a list.
    #[must_use]
    pub fn missing() -> Self {
        Self::unread(&format!("it has no `{PACKAGE_MEMBER}`"))
    }

    /// Of a package whose list has so many bytes, when those are too many.
    #[must_use]
    pub fn too_large(bytes: u64) -> Option<Self> {
        let why =
            || format!("its `{PACKAGE_MEMBER}` has {bytes} bytes, and at most {LARGEST_LISTING} are read");
        (bytes > LARGEST_LISTING).then(|| Self::unread(&why()))
    }

    /// Reads a list. One that is no list, or not a whole one, says nothing.
    ///
    /// # Errors
    /// [`PackageError::Version`]: then its documents may mean something else, too.
    pub fn read(list: &[u8], limits: Limits) -> Result<Self, PackageError> {
        let mut listing = read(list, limits);
        match listing.by_ref().find_map(Result::err) {
            Some(error @ PackageError::Version { .. }) => Err(error),
            Some(error) => Ok(Self::unread(&format!("its `{PACKAGE_MEMBER}` cannot be read ({error})"))),
            None if listing.is_empty() => Ok(Self::unread(&format!("its `{PACKAGE_MEMBER}` is empty"))),
            None => Ok(Self {
                addresses: listing.take_addresses(),
                revisions: listing.take_bare().into_iter().flatten().collect(),
                unread: None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "<ExportPackage><Updates>\
        <Update UpdateId=\"00000000-0000-0000-0000-000000000001\" RevisionNumber=\"100\" /></Updates></ExportPackage>";

    fn read(list: &str) -> Result<Listing, PackageError> {
        Listing::read(list.as_bytes(), Limits::default())
    }

    #[test]
    fn a_whole_list_says_which_documents_there_are() {
        let list = read(LIST).unwrap();
        assert_eq!((list.revisions.len(), list.unread), (1, None));
        assert_eq!(read("<ExportPackage />").unwrap().unread, None);
    }

    #[test]
    fn a_list_that_says_nothing_is_named_with_what_is_wrong_with_it() {
        for (list, wrong) in [
            (&LIST[..LIST.len() - 16], "ends inside of an element"),
            (&LIST[..LIST.len() - 10], "not well-formed"),
            ("", "is empty"),
            ("<Other />", "not an export package"),
            ("<ExportPackage><a></b></ExportPackage>", "not well-formed"),
        ] {
            let read = read(list).unwrap();
            let said = read.unread.unwrap();
            assert!(said.contains("`package.xml`") && said.contains(wrong), "{list}: {said}");
            assert!(said.contains("the documents in it are taken in"), "{said}");
            assert!(read.addresses.is_empty() && read.revisions.is_empty());
        }
        assert!(Listing::missing().unread.unwrap().contains("no `package.xml`"));
        assert!(
            Listing::too_large(LARGEST_LISTING).is_none()
                && Listing::too_large(LARGEST_LISTING + 1).is_some()
        );
    }

    #[test]
    fn a_list_of_another_version_is_refused() {
        let error = read("<ExportPackage FormatVersion=\"2.0\" />").unwrap_err();
        assert!(matches!(error, PackageError::Version { .. }), "{error}");
    }
}
