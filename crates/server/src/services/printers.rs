//! SyncPrinterCatalog (MS-WUSP 3.1.5.12): the printer drivers a client's "add printer" dialogue offers.

use super::{Caller, Failure, Reply, session, sync, sync_answer};
use crate::admission::Stage;
use crate::state::App;
use crate::transport::coding::Coding;
use sluicegate_scan::{PageBudget, PrinterQuery};
use sluicegate_soap::SoapVersion;
use sluicegate_soap::client::sync_updates::SyncPrinterCatalogRequest;
use sluicegate_terms::ComputerId;
use std::sync::Arc;

/// Answers SyncPrinterCatalog.
pub(super) async fn sync_printer_catalog(
    app: &Arc<App>,
    caller: &Caller,
    request: &SyncPrinterCatalogRequest,
    version: SoapVersion,
    wanted: Coding,
    computer: &mut Option<ComputerId>,
) -> Result<Reply, Failure> {
    let mut cookie = session::open(app, request.cookie.as_ref(), caller.now, computer)?;
    let groups = session::check_for_sync(app, &cookie).await?;
    session::set_groups(&mut cookie, &groups);
    let budget = PageBudget::default();
    let permit =
        sync::room(app, budget.bytes(request.printer_updates.len()), wanted, Stage::Continues).await?;
    let published = sync::published(app)?;
    let query = PrinterQuery {
        installed_non_leaf: &request.installed_non_leaf,
        printer_updates: &request.printer_updates,
        groups: &groups,
        seen: cookie.printers,
        protocol: cookie.protocol,
        budget,
    };
    let mut scratch = app.scratches.take();
    let answer = published.snapshot.sync_printer_catalog(&query, &mut scratch);
    app.scratches.give_back(scratch);
    cookie.printers = answer.anchor;
    let cookie = session::seal(app, &cookie)?;
    let form = sync_answer::Form { printers: true, version, wanted };
    sync_answer::write(app, &published, answer, cookie, form, permit).await
}
