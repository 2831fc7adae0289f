//! SOAP: RefreshCache (MS-WUSP 2.2.2.2.5), how a client learns this server's compact ids for revisions
//! it knows by their global ones.

use super::{Cookie, Deployment};
use crate::field::{Field, message};
use crate::operations::operation;
use crate::service::{Operation, Service};
use crate::writer::XmlWriter;
use crate::{error::DecodeError, reader::XmlReader};
use sluicegate_terms::{RevisionId, RevisionNumber, UpdateId, UpdateIdentity};

message! {
    /// Asks for the compact ids of revisions.
    #[derive(Default)]
    pub struct RefreshCacheRequest {
        /// The client's cookie.
        cookie: Option<Cookie> = "cookie",
        /// The revisions; agents send 200 a call (observed).
        global_ids: Vec<UpdateIdentity> = "globalIDs"["UpdateIdentity"],
    }

    /// Gives them.
    #[derive(Default)]
    pub struct RefreshCacheResponse {
        /// Those the server has deployed. Real servers leave out revisions that are only part of a
        /// bundle (observed-behaviour 4).
        revisions: Vec<RefreshedRevision> = "RefreshCacheResult"["RefreshCacheResult"],
    }

    /// One revision.
    pub struct RefreshedRevision {
        /// Its compact id.
        revision: RevisionId = "RevisionID",
        /// Its global id.
        identity: Option<UpdateIdentity> = "GlobalID",
        /// True when no update names it as prerequisite.
        is_leaf: bool = "IsLeaf",
        /// How it is deployed.
        deployment: Option<Deployment> = "Deployment",
    }

    /// MS-WUSP 2.2.3.6 as an element; outside it is a term.
    struct WireIdentity {
        update: UpdateId = "UpdateID",
        revision: RevisionNumber = "RevisionNumber",
    }
}

impl<'a> Field<'a> for UpdateIdentity {
    fn read(reader: &mut XmlReader<'a>) -> Result<Self, DecodeError> {
        WireIdentity::read(reader).map(|wire| Self { update: wire.update, revision: wire.revision })
    }
    fn write(&self, out: &mut XmlWriter, element: &str) {
        WireIdentity { update: self.update, revision: self.revision }.write(out, element);
    }
}

operation!(REFRESH_CACHE = Operation::of(Service::Client, "RefreshCache");
    RefreshCacheRequest => RefreshCacheResponse);
