//! SOAP: StartCategoryScan (MS-WUSP 2.2.2.2.8). The one operation of the service without a cookie.

use crate::field::message;
use crate::operations::operation;
use crate::service::{Operation, Service};
use sluicegate_terms::{Guid, UpdateId};

message! {
    /// Asks which categories a filtered scan may name.
    #[derive(Default)]
    pub struct StartCategoryScanRequest {
        /// The categories the caller is interested in.
        requested_categories: Vec<CategoryRelationship> = "requestedCategories"["CategoryRelationship"],
    }

    /// One category. Those with equal index are joined by OR; the groups so made, by AND.
    pub struct CategoryRelationship {
        /// Which AND group.
        index_of_and_group: i32 = "IndexOfAndGroup",
        /// The category.
        category_id: UpdateId = "CategoryId",
    }

    /// The categories to filter by.
    #[derive(Default)]
    pub struct StartCategoryScanResponse {
        /// To be sent as `FilterCategoryIds`.
        preferred_category_ids: Vec<Guid> = "preferredCategoryIds"["guid"],
        /// Those the server does not know; left out when there are none (observed).
        requested_category_ids_in_error: Vec<Guid> = "requestedCategoryIdsInError"["guid"],
    }
}

operation!(START_CATEGORY_SCAN = Operation::of(Service::Client, "StartCategoryScan");
    StartCategoryScanRequest => StartCategoryScanResponse);
