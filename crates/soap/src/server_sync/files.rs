//! SOAP: DownloadFiles (MS-WSUSSS 3.1.4.11) and GetUpdateDecryptionData (3.1.4.18).

use super::of;
use crate::client::{Base64, Cookie};
use crate::field::message;
use crate::operations::operation;
use sluicegate_terms::{Sha1Digest, UpdateIdentity};

message! {
    /// Asks the server to fetch files it does not have yet.
    #[derive(Default)]
    pub struct DownloadFilesRequest {
        /// The downstream server's cookie.
        cookie: Option<Cookie> = "cookie",
        /// SHA-1 of each file; 1 to 100.
        file_digests: Option<Vec<Sha1Digest>> = "fileDigestList"["base64Binary"],
    }

    /// Nothing.
    #[derive(Default, Copy)]
    pub struct DownloadFilesResponse {}

    /// Asks for the keys of encrypted files.
    #[derive(Default)]
    pub struct GetUpdateDecryptionDataRequest {
        /// The downstream server's cookie.
        cookie: Option<Cookie> = "cookie",
        /// Which revisions; at most `MaxUpdatesPerRequestInGetUpdateDecryptionData` of GetConfigData.
        update_ids: Option<Vec<UpdateIdentity>> = "updateIds"["UpdateIdentity"],
    }

    /// Gives them.
    #[derive(Default)]
    pub struct GetUpdateDecryptionDataResponse {
        /// The keys.
        data: ServerDecryptionData = "GetUpdateDecryptionDataResult",
    }

    /// Keys by revision.
    #[derive(Default)]
    pub struct ServerDecryptionData {
        /// One for each revision that has encrypted files.
        updates: Vec<ServerSyncUpdateFileDecryption> =
            "UpdateFileDecryptionData"["ServerSyncUpdateFileDecryption"],
    }

    /// The keys of one revision.
    pub struct ServerSyncUpdateFileDecryption {
        /// Which.
        id: UpdateIdentity = "UpdateId",
        /// One for each encrypted file.
        files: Vec<ServerSyncFileDecryption> = "FileDecryptionData"["ServerSyncFileDecryption"],
    }

    /// The key of one file.
    #[derive(Default)]
    pub struct ServerSyncFileDecryption {
        /// SHA-1 of the file.
        file_digest: Option<Sha1Digest> = "FileDigest",
        /// The key; may be missing.
        decryption_key: Option<Base64> = "DecryptionKey",
    }
}

operation!(DOWNLOAD_FILES = of("DownloadFiles"); DownloadFilesRequest => DownloadFilesResponse);
operation!(GET_UPDATE_DECRYPTION_DATA = of("GetUpdateDecryptionData");
    GetUpdateDecryptionDataRequest => GetUpdateDecryptionDataResponse);
