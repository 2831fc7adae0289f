//! SOAP: GetFileLocations (MS-WUSP 2.2.2.2.7).

use super::{Cookie, FileLocation};
use crate::field::message;
use crate::operations::operation;
use crate::service::{Operation, Service};
use sluicegate_terms::Sha1Digest;

message! {
    /// Asks where files are.
    #[derive(Default)]
    pub struct GetFileLocationsRequest {
        /// The client's cookie.
        cookie: Option<Cookie> = "cookie",
        /// SHA-1 of each file; agents send up to 100 (observed).
        file_digests: Vec<Sha1Digest> = "fileDigests"["base64Binary"],
    }

    /// Says it.
    pub struct GetFileLocationsResponse {
        /// The locations.
        result: GetFileLocationsResults = "GetFileLocationsResult",
    }

    /// Where files are.
    #[derive(Default)]
    pub struct GetFileLocationsResults {
        /// One for each file the server knows.
        file_locations: Vec<FileLocation> = "FileLocations"["FileLocation"],
        /// Replaces the client's cookie (observed).
        new_cookie: Option<Cookie> = "NewCookie",
    }
}

operation!(GET_FILE_LOCATIONS = Operation::of(Service::Client, "GetFileLocations");
    GetFileLocationsRequest => GetFileLocationsResponse);
