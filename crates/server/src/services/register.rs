//! RegisterComputer (MS-WUSP 3.1.5.5): a client describes itself.

use super::{Caller, Failure, Reply, session};
use crate::contacts;
use crate::inventory::Inventory;
use crate::state::App;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::client::{RegisterComputerRequest, RegisterComputerResponse};
use sluicegate_store::{Contact, Registration};
use sluicegate_terms::ComputerId;

/// Answers RegisterComputer; what was said is durable by then.
pub(super) async fn register_computer(
    app: &App,
    caller: &Caller,
    request: &RegisterComputerRequest,
    version: SoapVersion,
    computer: &mut Option<ComputerId>,
) -> Result<Reply, Failure> {
    let cookie = session::open(app, request.cookie.as_ref(), caller.now, computer)?;
    if !app.settings.load().registration_required {
        return Err(Failure::RegistrationNotRequired);
    }
    let Some(info) = &request.computer_info else {
        return Err(Failure::parameter("computerInfo", "it is missing"));
    };
    let inventory = Inventory::of(info);
    let contact = Contact {
        dns_name: info.dns_name.clone().filter(|name| !name.trim().is_empty()),
        client_version: Some(inventory.client_version.clone()),
        ip: Some(caller.peer.ip().to_string()),
        ..Contact::new(cookie.computer.clone(), caller.now)
    };
    let mut registration = Registration { contact, inventory: inventory.to_text() };
    let store = app.store.clone();
    let register = move || {
        // The groups it asked for a moment ago may wait to be written; a computer that is registered must not be
        // without them, or it is told what its group is to be spared.
        let asked = store.groups_of(&registration.contact.computer)?.requested;
        registration.contact.requested_groups = Some(asked);
        store.register(registration)
    };
    tokio::task::spawn_blocking(register)
        .await
        .map_err(|error| Failure::Internal(format!("registering a computer failed: {error}")))??;
    contacts::reread(app, &cookie.computer).await?;
    Ok(Reply::message(&RegisterComputerResponse {}, version))
}
