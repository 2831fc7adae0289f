//! Catalog: what the list of a package in a Cabinet says (`package.xml`). It only repeats which documents stand beside it,
//! and where their files are; so whole documents are good without it, and whoever imports them is told.

use super::{PACKAGE_MEMBER, PackageError, read};
use crate::Limits;
use sluicegate_terms::{Sha1Digest, UpdateIdentity};
use thiserror::Error;

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

/// Why a package is not taken because of its list.
#[derive(Debug, Error)]
pub enum ListingError<E> {
    /// Its bytes are not those that were written, and so may others be.
    #[error("its `{PACKAGE_MEMBER}` is damaged: {0}")]
    Damaged(E),
    /// It says a version that is not known ([`PackageError::Version`]); its documents may mean something else, too.
    #[error("{0}")]
    Version(PackageError),
}

impl Listing {
    /// The list of a package, given how many bytes it unpacks to and how it is unpacked; `None` when the package has none.
    /// One that is missing, too large, or says nothing is no reason to refuse the package: [`Listing::unread`] is said then.
    ///
    /// # Errors
    /// The package is not to be taken, see [`ListingError`].
    pub fn of<E>(
        member: Option<(u64, impl FnOnce() -> Result<Vec<u8>, E>)>,
        limits: Limits,
    ) -> Result<Self, ListingError<E>> {
        match member {
            None => Ok(Self::unread(&format!("it has no `{PACKAGE_MEMBER}`"))),
            Some((bytes, _)) if bytes > LARGEST_LISTING => Ok(Self::unread(&format!(
                "its `{PACKAGE_MEMBER}` has {bytes} bytes, and at most {LARGEST_LISTING} are read"
            ))),
            Some((_, unpack)) => {
                let list = unpack().map_err(ListingError::Damaged)?;
                Self::read(&list, limits).map_err(ListingError::Version)
            }
        }
    }

    /// Of a package that has a list which says nothing, or none.
    fn unread(why: &str) -> Self {
        let unread = format!(
            "{why}, so nothing says whether a document is missing in the package, and where \
             Microsoft Update has its files; the documents in it are taken in. If it was written with a list that is \
             whole, copy it again, or export it anew, and import that too"
        );
        Self { unread: Some(unread), ..Self::default() }
    }

    /// Reads a list. One that is no list, or not a whole one, says nothing; one of another version is an error.
    fn read(list: &[u8], limits: Limits) -> Result<Self, PackageError> {
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
    }

    type Unpacked = Result<Vec<u8>, &'static str>;

    #[test]
    fn a_list_that_is_missing_or_too_large_is_named_and_not_unpacked() {
        let none: Option<(u64, fn() -> Unpacked)> = None;
        assert!(Listing::of(none, Limits::default()).unwrap().unread.unwrap().contains("no `package.xml`"));
        let of = |bytes| {
            let mut unpacked = false;
            let unpack = || -> Unpacked {
                unpacked = true;
                Ok(LIST.into())
            };
            let unread = Listing::of(Some((bytes, unpack)), Limits::default()).unwrap().unread;
            (unpacked, unread)
        };
        assert_eq!(of(LARGEST_LISTING), (true, None));
        let (unpacked, unread) = of(LARGEST_LISTING + 1);
        assert!(!unpacked && unread.unwrap().contains(&format!("has {} bytes", LARGEST_LISTING + 1)));
    }

    #[test]
    fn a_damaged_list_and_one_of_another_version_refuse_the_package() {
        let of = |list: Unpacked| Listing::of(Some((9, || list)), Limits::default()).unwrap_err();
        let damaged = of(Err("a wrong checksum"));
        assert_eq!(damaged.to_string(), "its `package.xml` is damaged: a wrong checksum");
        let version = of(Ok(b"<ExportPackage FormatVersion=\"2.0\" />".to_vec()));
        assert!(matches!(version, ListingError::Version(PackageError::Version { .. })), "{version}");
    }
}
