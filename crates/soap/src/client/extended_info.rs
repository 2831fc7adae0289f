//! SOAP: GetExtendedUpdateInfo (MS-WUSP 2.2.2.2.6): the fragments a client fetches for what it needs.

use super::{Base64, Cookie};
use crate::field::{Field, message, read_scalar};
use crate::operations::operation;
use crate::service::{Operation, Service};
use crate::text::Text;
use crate::writer::XmlWriter;
use crate::{error::DecodeError, reader::XmlReader};
use sluicegate_terms::{RevisionId, Sha1Digest};

message! { borrowed
    /// Asks for fragments of revisions.
    #[derive(Default)]
    pub struct GetExtendedUpdateInfoRequest<'a> {
        /// The client's cookie.
        cookie: Option<Cookie> = "cookie",
        /// Which revisions; agents send them in rising order, at most 50 (observed).
        revision_ids: Vec<i32> = "revisionIDs"["int"],
        /// Which fragments.
        info_types: Vec<FragmentType> = "infoTypes"["XmlUpdateFragmentType"],
        /// Which languages, best first.
        locales: Vec<String> = "locales"["string"],
        /// The client's properties, `Key=Value;`. Not in the published interface (observed).
        device_attributes: Option<Text<'a>> = "deviceAttributes",
        /// Region of the licence terms, three letters.
        geo_id: Option<String> = "GeoId",
        /// Who asks, `Key=Value;`.
        caller_attributes: Option<Text<'a>> = "callerAttributes",
    }

    /// Gives them.
    #[derive(Default)]
    pub struct GetExtendedUpdateInfoResponse<'a> {
        /// The fragments and where files are.
        info: ExtendedUpdateInfo<'a> = "GetExtendedUpdateInfoResult",
    }

    /// Fragments of revisions.
    #[derive(Default)]
    pub struct ExtendedUpdateInfo<'a> {
        /// All Extended fragments by rising id, then the localized texts (observed).
        updates: Vec<UpdateData<'a>> = "Updates"["Update"],
        /// One for each distinct file of the Extended fragments, held or not (observed).
        file_locations: Vec<FileLocation> = "FileLocations"["FileLocation"],
        /// Revisions the client should forget.
        out_of_scope: Vec<i32> = "OutOfScopeRevisionIDs"["int"],
    }

    /// One fragment.
    pub struct UpdateData<'a> {
        /// Of which revision.
        id: RevisionId = "ID",
        /// The fragment, XML inside text.
        xml: Option<Text<'a>> = "Xml",
    }
}

message! {
    /// Where a file is.
    #[derive(Default)]
    pub struct FileLocation {
        /// SHA-1 of the file; its name everywhere.
        file_digest: Option<Sha1Digest> = "FileDigest",
        /// Where it can be downloaded.
        url: Option<String> = "Url",
        /// Where the hashes of its pieces are.
        pieces_hash_url: Option<String> = "PiecesHashUrl",
        /// Where the block map of an Appx package is.
        block_map_url: Option<String> = "BlockMapUrl",
        /// How to decrypt it, JSON.
        decryption_information: Option<String> = "DecryptionInformation",
        /// Algorithm of `file_digest`.
        file_digest_algorithm: Option<String> = "FileDigestAlgorithm",
        /// Digest of the encrypted file.
        encrypted_file_digest: Option<Base64> = "EncryptedFileDigest",
        /// Algorithm of that digest.
        encrypted_file_digest_algorithm: Option<String> = "EncryptedFileDigestAlgorithm",
    }
}

/// A kind of fragment (`XmlUpdateFragmentType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FragmentType {
    /// The whole document.
    Published,
    /// What SyncUpdates delivers.
    Core,
    /// What is needed to download and install.
    Extended,
    /// Not used by agents.
    VerificationRule,
    /// Titles and descriptions.
    LocalizedProperties,
    /// Licence terms.
    Eula,
    /// Where files are.
    FileUrl,
    /// How to decrypt files.
    FileDecryption,
}

impl FragmentType {
    /// Every kind, in the order of the interface definition.
    pub const ALL: [Self; 8] = [
        Self::Published,
        Self::Core,
        Self::Extended,
        Self::VerificationRule,
        Self::LocalizedProperties,
        Self::Eula,
        Self::FileUrl,
        Self::FileDecryption,
    ];

    /// The spelling on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "Published",
            Self::Core => "Core",
            Self::Extended => "Extended",
            Self::VerificationRule => "VerificationRule",
            Self::LocalizedProperties => "LocalizedProperties",
            Self::Eula => "Eula",
            Self::FileUrl => "FileUrl",
            Self::FileDecryption => "FileDecryption",
        }
    }
}

impl<'a> Field<'a> for FragmentType {
    fn read(reader: &mut XmlReader<'a>) -> Result<Self, DecodeError> {
        read_scalar(reader, |text| {
            Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
                format!("`{}` is not a kind of fragment", text.chars().take(40).collect::<String>())
            })
        })
    }
    fn write(&self, out: &mut XmlWriter, element: &str) {
        out.element(element, |out| out.raw(self.as_str()));
    }
}

operation!(GET_EXTENDED_UPDATE_INFO = Operation::of(Service::Client, "GetExtendedUpdateInfo");
    GetExtendedUpdateInfoRequest<'a> => GetExtendedUpdateInfoResponse<'a>);
