//! SOAP: GetUpdateData (MS-WSUSSS 3.1.4.6): whole documents, plain or as Cabinet files, and where on the
//! Internet their files are.

use super::of;
use crate::client::{Base64, Cookie};
use crate::field::message;
use crate::operations::operation;
use crate::text::Text;
use sluicegate_terms::{Sha1Digest, UpdateIdentity};

message! {
    /// Asks for documents.
    #[derive(Default)]
    pub struct GetUpdateDataRequest {
        /// The downstream server's cookie.
        cookie: Option<Cookie> = "cookie",
        /// Which revisions; at most `MaxNumberOfUpdatesPerRequest` of GetConfigData.
        update_ids: Option<Vec<UpdateIdentity>> = "updateIds"["UpdateIdentity"],
    }
}

message! { borrowed
    /// Gives them.
    #[derive(Default)]
    pub struct GetUpdateDataResponse<'a> {
        /// The documents.
        data: ServerUpdateData<'a> = "GetUpdateDataResult",
    }

    /// Documents and file locations. There may be fewer than were asked for: ask again for the rest.
    #[derive(Default)]
    pub struct ServerUpdateData<'a> {
        /// In the order asked for (observed).
        updates: Vec<ServerSyncUpdateData<'a>> = "updates"["ServerSyncUpdateData"],
        /// Of the files of those updates.
        file_urls: Vec<ServerSyncUrlData> = "fileUrls"["ServerSyncUrlData"],
    }

    /// One document, in one of two forms.
    pub struct ServerSyncUpdateData<'a> {
        /// Of which revision.
        id: UpdateIdentity = "Id",
        /// The document as text.
        xml: Option<Text<'a>> = "XmlUpdateBlob",
        /// SHA-1 of each of its files; left out when there are none.
        file_digests: Option<Vec<Sha1Digest>> = "FileDigestList"["base64Binary"],
        /// The document in UTF-16LE, as the member `blob` of a Cabinet file (observed).
        compressed: Option<Base64> = "XmlUpdateBlobCompressed",
    }
}

message! {
    /// Where a file is.
    #[derive(Default)]
    pub struct ServerSyncUrlData {
        /// SHA-1 of the file.
        file_digest: Option<Sha1Digest> = "FileDigest",
        /// Where on the Internet it is.
        mu_url: Option<String> = "MUUrl",
        /// Unused, empty on real servers (observed).
        uss_url: Option<String> = "UssUrl",
        /// The key of an encrypted file; in the interface definition only.
        decryption_key: Option<Base64> = "DecryptionKey",
    }
}

operation!(GET_UPDATE_DATA = of("GetUpdateData"); GetUpdateDataRequest => GetUpdateDataResponse<'a>);
