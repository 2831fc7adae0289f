//! SOAP: GetExtendedUpdateInfo2 (MS-WUSP 2.2.2.2.10): fragments by global ids, and how to decrypt files.

use super::{Base64, Cookie, FileLocation, FragmentType, UpdateData};
use crate::field::message;
use crate::operations::operation;
use crate::service::{Operation, Service};
use crate::text::Text;
use sluicegate_terms::{Sha1Digest, UpdateIdentity};

message! { borrowed
    /// Asks for fragments and file locations of revisions.
    #[derive(Default)]
    pub struct GetExtendedUpdateInfo2Request<'a> {
        /// The client's cookie.
        cookie: Option<Cookie> = "cookie",
        /// Which revisions.
        update_ids: Vec<UpdateIdentity> = "updateIDs"["UpdateIdentity"],
        /// What about them.
        info_types: Vec<FragmentType> = "infoTypes"["XmlUpdateFragmentType"],
        /// Which languages, best first.
        locales: Vec<String> = "locales"["string"],
        /// The client's properties, `Key=Value;`. Not in the published interface (observed in its sister).
        device_attributes: Option<Text<'a>> = "deviceAttributes",
        /// Who asks, `Key=Value;`.
        caller_attributes: Option<Text<'a>> = "callerAttributes",
    }

    /// Gives them.
    #[derive(Default)]
    pub struct GetExtendedUpdateInfo2Response<'a> {
        /// The fragments and where files are.
        info: ExtendedUpdateInfo2<'a> = "GetExtendedUpdateInfo2Result",
    }

    /// Fragments, locations and keys.
    #[derive(Default)]
    pub struct ExtendedUpdateInfo2<'a> {
        /// The fragments.
        updates: Vec<UpdateData<'a>> = "Updates"["Update"],
        /// Where files are.
        file_locations: Vec<FileLocation> = "FileLocations"["FileLocation"],
        /// Keys of encrypted files.
        file_decryption_data: Vec<FileDecryption> = "FileDecryptionData"["FileDecryption"],
        /// The same again, by the specification.
        file_decryption_data2: Vec<FileDecryption> = "FileDecryptionData2"["FileDecryption2"],
        /// Which updates have encrypted files.
        update_encryption_details: Vec<UpdateEncryptionDetail> =
            "UpdateEncryptionDetails"["UpdateEncryptionDetail"],
    }
}

message! {
    /// The key of one file.
    #[derive(Default)]
    pub struct FileDecryption {
        /// SHA-1 of the file.
        file_digest: Option<Sha1Digest> = "FileDigest",
        /// The key.
        decryption_key: Option<Base64> = "DecryptionKey",
        /// One entry, the key again.
        security_data: Vec<Base64> = "SecurityData"["base64Binary"],
    }

    /// Whether an update has encrypted files.
    pub struct UpdateEncryptionDetail {
        /// Which revision.
        identity: UpdateIdentity = "UpdateIdentity",
        /// True when it has.
        has_encrypted_files: bool = "HasEncryptedFiles",
    }
}

operation!(GET_EXTENDED_UPDATE_INFO2 = Operation::of(Service::Client, "GetExtendedUpdateInfo2");
    GetExtendedUpdateInfo2Request<'a> => GetExtendedUpdateInfo2Response<'a>);
