//! SOAP: GetRevisionIdList (MS-WSUSSS 3.1.4.5): which revisions are new to a downstream server. And
//! GetRelatedRevisionsForUpdates (3.1.4.9), which the protocol does not use.

use super::of;
use crate::client::Cookie;
use crate::field::message;
use crate::operations::operation;
use sluicegate_terms::{Guid, UpdateIdentity};

message! {
    /// Asks for the revisions that changed since an anchor and match a filter.
    #[derive(Default)]
    pub struct GetRevisionIdListRequest {
        /// The downstream server's cookie.
        cookie: Option<Cookie> = "cookie",
        /// Which revisions.
        filter: Option<ServerSyncFilter> = "filter",
    }

    /// Gives them.
    #[derive(Default)]
    pub struct GetRevisionIdListResponse {
        /// The revisions.
        list: RevisionIdList = "GetRevisionIdListResult",
    }

    /// Which revisions. One listed category and one listed classification must match; one list alone or
    /// an empty one selects nothing; without both everything is selected (observed-behaviour 8).
    #[derive(Default)]
    pub struct ServerSyncFilter {
        /// Reserved.
        dss_protocol_version: Option<ProtocolVersionElement> = "DssProtocolVersion",
        /// The anchor of the last answer to the same kind of question.
        anchor: Option<String> = "Anchor",
        /// True for categories and detectoids, false for the rest.
        get_config: bool = "GetConfig",
        /// True to have at most 63 languages; protocol 1.2 and newer. May be left out (observed).
        get_63_language_only: Option<bool> = "Get63LanguageOnly",
        /// Products.
        categories: Option<Vec<IdAndDelta>> = "Categories"["IdAndDelta"],
        /// Update classifications.
        classifications: Option<Vec<IdAndDelta>> = "Classifications"["IdAndDelta"],
        /// Languages; protocol 1.3 and newer.
        languages: Option<Vec<LanguageAndDelta>> = "Languages"["LanguageAndDelta"],
    }

    /// An element the interface definition gives no content.
    #[derive(Default, Copy)]
    pub struct ProtocolVersionElement {}

    /// A category, and whether it was in the filter before.
    #[derive(Default, Copy)]
    pub struct IdAndDelta {
        /// Which.
        id: Guid = "Id",
        /// True for changes since the anchor only, false for all again (observed).
        delta: bool = "Delta",
    }

    /// A language, and whether it was in the filter before.
    #[derive(Default, Copy)]
    pub struct LanguageAndDelta {
        /// Which; Windows' number of it.
        id: i32 = "Id",
        /// As in [`IdAndDelta`].
        delta: bool = "Delta",
    }

    /// Revisions, and up to when these are all.
    #[derive(Default)]
    pub struct RevisionIdList {
        /// To be sent next time, unread.
        anchor: Option<String> = "Anchor",
        /// The revisions. Several of one update occur among categories (observed), not elsewhere.
        new_revisions: Vec<UpdateIdentity> = "NewRevisions"["UpdateIdentity"],
    }

    /// Asks for revisions related to updates.
    #[derive(Default)]
    pub struct GetRelatedRevisionsForUpdatesRequest {
        /// The downstream server's cookie.
        cookie: Option<Cookie> = "cookie",
        /// Which updates.
        update_ids: Option<Vec<Guid>> = "updateIDs"["guid"],
    }

    /// Gives them.
    #[derive(Default)]
    pub struct GetRelatedRevisionsForUpdatesResponse {
        /// The revisions.
        revisions: Vec<UpdateIdentity> = "GetRelatedRevisionsForUpdatesResult"["UpdateIdentity"],
    }
}

operation!(GET_REVISION_ID_LIST = of("GetRevisionIdList");
    GetRevisionIdListRequest => GetRevisionIdListResponse);
operation!(GET_RELATED_REVISIONS_FOR_UPDATES = of("GetRelatedRevisionsForUpdates");
    GetRelatedRevisionsForUpdatesRequest => GetRelatedRevisionsForUpdatesResponse);
