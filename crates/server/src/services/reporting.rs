//! The Reporting service (MS-WUSP 3.1.5.11 and the rest of its WSDL): what was reported is durable before
//! the answer says so.

use super::{Caller, Failure, Reply, session};
use crate::contacts;
use crate::state::App;
use serde_json::json;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::reporting::{
    GetRequiredInventoryTypeRequest, GetRequiredInventoryTypeResponse, ReportEventBatch2Request,
    ReportEventBatch2Response, ReportEventBatchRequest, ReportEventBatchResponse, ReportInventoryRequest,
    ReportInventoryResponse, ReportingEvent,
};
use sluicegate_store::{EventBatch, ReportedEvent};
use sluicegate_terms::{ComputerId, Guid, RevisionNumber, UpdateId, UpdateIdentity};

/// "Inventory collected" in the server's event table (observed-behaviour 6).
const INVENTORY_COLLECTED: u16 = 126;

/// The inventory part of the agent (observed-behaviour 6).
const SOURCE_INVENTORY: u16 = 104;

/// The status event: its lists become status rows and are not kept a second time.
const STATUS_EVENT: i32 = 156;

/// Longest inventory that is kept, in bytes.
const LONGEST_INVENTORY: usize = 1 << 20;

/// Answers ReportEventBatch.
pub(super) async fn report_event_batch(
    app: &App,
    caller: &Caller,
    request: ReportEventBatchRequest,
    version: SoapVersion,
    computer: &mut Option<ComputerId>,
) -> Result<Reply, Failure> {
    let cookie = session::open(app, request.cookie.as_ref(), caller.now, computer)?;
    record(app, caller, cookie.computer, events(request.events)?).await?;
    Ok(Reply::message(&ReportEventBatchResponse { received: true }, version))
}

/// Answers ReportEventBatch2, which has no cookie: only computers that are known may report so.
pub(super) async fn report_event_batch2(
    app: &App,
    caller: &Caller,
    request: ReportEventBatch2Request,
    version: SoapVersion,
    computer: &mut Option<ComputerId>,
) -> Result<Reply, Failure> {
    let id = request.computer_id.as_deref().unwrap_or_default().parse::<ComputerId>();
    let id = id.map_err(|error| Failure::parameter("computerId", error.to_string()))?;
    *computer = Some(id.clone());
    let known = contacts::known(app, &id).await?;
    if app.settings.load().registration_required && !known.registered {
        return Err(Failure::parameter("computerId", "no such computer is registered"));
    }
    record(app, caller, id, events(request.events)?).await?;
    Ok(Reply::message(&ReportEventBatch2Response { received: true }, version))
}

/// Answers GetRequiredInventoryType: none is wanted, as GetConfig's `IsInventoryRequired` says too.
pub(super) fn get_required_inventory_type(
    app: &App,
    caller: &Caller,
    request: &GetRequiredInventoryTypeRequest,
    version: SoapVersion,
    computer: &mut Option<ComputerId>,
) -> Result<Reply, Failure> {
    session::open(app, request.cookie.as_ref(), caller.now, computer)?;
    Ok(Reply::message(&GetRequiredInventoryTypeResponse { inventory_type: 0 }, version))
}

/// Answers ReportInventory. No agent of today sends one; the newest is kept with the computer's events.
pub(super) async fn report_inventory(
    app: &App,
    caller: &Caller,
    request: ReportInventoryRequest,
    version: SoapVersion,
    computer: &mut Option<ComputerId>,
) -> Result<Reply, Failure> {
    let cookie = session::open(app, request.cookie.as_ref(), caller.now, computer)?;
    let Some(inventory) = request.inventory else {
        return Err(Failure::parameter("inventory", "it is missing"));
    };
    let compressed = inventory.compressed_xml.map(|bytes| bytes.0).unwrap_or_default();
    let plain = inventory.raw_xml.unwrap_or_default();
    if compressed.len() + plain.len() > LONGEST_INVENTORY {
        return Err(Failure::parameter("inventory", format!("it is longer than {LONGEST_INVENTORY} bytes")));
    }
    let details = json!({
        "is_compressed": inventory.is_compressed,
        "xml": plain,
        "compressed": hex(&compressed),
    });
    let event = ReportedEvent {
        instance: app.random.guid(),
        namespace: 1,
        id: INVENTORY_COLLECTED,
        source: SOURCE_INVENTORY,
        update: None,
        at: request.client_time,
        result: 0,
        misc: Vec::new(),
        details: details.to_string(),
    };
    record(app, caller, cookie.computer, vec![event]).await?;
    Ok(Reply::message(&ReportInventoryResponse { received: true }, version))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

async fn record(
    app: &App,
    caller: &Caller,
    computer: ComputerId,
    events: Vec<ReportedEvent>,
) -> Result<(), Failure> {
    let store = app.store.clone();
    let batch = EventBatch { computer, received: caller.now, events };
    tokio::task::spawn_blocking(move || store.record_events(batch))
        .await
        .map_err(|error| Failure::Internal(format!("recording events failed: {error}")))??;
    Ok(())
}

fn events(wire: Vec<ReportingEvent>) -> Result<Vec<ReportedEvent>, Failure> {
    wire.into_iter().map(event).collect()
}

fn event(wire: ReportingEvent) -> Result<ReportedEvent, Failure> {
    let bad = |reason: String| Failure::parameter("eventBatch", reason);
    let Some(basic) = wire.basic else { return Err(bad("an event has no BasicData".into())) };
    let update = match basic.update.filter(|update| update.update != Guid::ZERO) {
        Some(update) => Some(UpdateIdentity {
            update: UpdateId(update.update),
            revision: RevisionNumber::new(i64::from(update.revision)).map_err(|e| bad(e.to_string()))?,
        }),
        None => None,
    };
    let narrow = |name: &str, value: i32| {
        u16::try_from(value).map_err(|_| bad(format!("{name} {value} is out of range (expected 0 to 65535)")))
    };
    let namespace = u8::try_from(basic.namespace_id).map_err(|_| {
        bad(format!("NamespaceID {} is out of range (expected 0 to 255)", basic.namespace_id))
    })?;
    let extended = wire.extended.unwrap_or_default();
    let misc = extended.misc_data;
    let kept_misc: &[String] = if basic.event_id == STATUS_EVENT { &[] } else { &misc };
    let details = json!({
        "strings": extended.replacement_strings,
        "misc": kept_misc,
        "app": basic.app_name,
        "brand": extended.computer_brand,
        "model": extended.computer_model,
        "bios": extended.bios_revision,
        "device": extended.device_id,
        "os": format!(
            "{}.{}.{}",
            extended.os_version.major, extended.os_version.minor, extended.os_version.build
        ),
    });
    Ok(ReportedEvent {
        instance: basic.event_instance_id,
        namespace,
        id: narrow("EventID", basic.event_id)?,
        source: narrow("SourceID", basic.source_id)?,
        update,
        at: basic.time_at_target,
        result: basic.win32_hresult,
        details: details.to_string(),
        misc,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_soap::reporting::{BasicData, ExtendedData, UpdateRevisionIdentifier};

    fn wire(id: i32, update: Guid) -> ReportingEvent {
        ReportingEvent {
            basic: Some(BasicData {
                event_id: id,
                namespace_id: 1,
                update: Some(UpdateRevisionIdentifier { update, revision: 3 }),
                ..BasicData::default()
            }),
            extended: Some(ExtendedData { misc_data: vec!["U=x".into()], ..ExtendedData::default() }),
            private: None,
        }
    }

    #[test]
    fn the_zero_guid_means_no_update() {
        assert_eq!(event(wire(147, Guid::ZERO)).unwrap().update, None);
        let update = event(wire(182, Guid::from_u128(5))).unwrap().update.unwrap();
        assert_eq!((update.update, update.revision.get()), (UpdateId(Guid::from_u128(5)), 3));
    }

    #[test]
    fn the_lists_of_a_status_event_are_not_kept_twice() {
        let status = event(wire(156, Guid::ZERO)).unwrap();
        assert_eq!(status.misc, ["U=x"]);
        assert!(!status.details.contains("U=x"));
        assert!(event(wire(162, Guid::ZERO)).unwrap().details.contains("U=x"));
    }

    #[test]
    fn events_out_of_shape_are_refused() {
        for bad in [wire(70_000, Guid::ZERO), wire(-1, Guid::ZERO), ReportingEvent::default()] {
            assert_eq!(event(bad).unwrap_err().fault().2, "eventBatch");
        }
    }
}
