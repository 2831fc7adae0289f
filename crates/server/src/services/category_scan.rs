//! StartCategoryScan (MS-WUSP 3.1.5.6): which categories a filtered scan may name. It has no cookie.

use super::{Failure, Reply, sync};
use crate::state::App;
use sluicegate_scan::CategoryRequest;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::client::{StartCategoryScanRequest, StartCategoryScanResponse};

/// Answers StartCategoryScan.
pub(super) fn start(
    app: &App,
    request: &StartCategoryScanRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    let asked = &request.requested_categories;
    if asked.is_empty() {
        return Err(Failure::no_elements("requestedCategories"));
    }
    let wanted: Vec<_> = asked
        .iter()
        .map(|one| CategoryRequest { and_group: one.index_of_and_group, category: one.category_id })
        .collect();
    let plan = sync::published(app)?
        .snapshot
        .start_category_scan(&wanted)
        .map_err(|error| Failure::parameter("requestedCategories", error.to_string()))?;
    let response = StartCategoryScanResponse {
        preferred_category_ids: plan.preferred.into_iter().map(|id| id.0).collect(),
        requested_category_ids_in_error: plan.in_error.into_iter().map(|id| id.0).collect(),
    };
    Ok(Reply::message(&response, version))
}
