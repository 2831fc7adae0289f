//! Agent: a session with one server. Knows what a computer must have before it may call (configuration,
//! cookie, registration), gets what is missing, and does what faults ask (MS-WUSP 2.2.2.4, 3.2.5).

mod calls;
mod exchange;
mod page_memory;

pub use calls::SyncFacts;
pub(crate) use calls::{Refreshed, deployment, deployment_of};
pub use exchange::Observer;
pub use page_memory::PageMemory;

use crate::clock::Clock;
use crate::error::AgentError;
use crate::http::Pool;
use crate::profile::{AGENT_VERSION, CLIENT_PROTOCOL, Profile};
use crate::random::Random;
use crate::recovery::{Patience, Reaction, Recoveries, reaction};
use exchange::{Caller, Reply};
use sluicegate_soap::client::{
    AuthorizationCookie, ComputerInfo, Config, Cookie, GetConfigRequest, GetConfigResponse, GetCookieRequest,
    GetCookieResponse, RegisterComputerRequest,
};
use sluicegate_soap::fault::{ErrorCode, ReceivedFault};
use sluicegate_soap::simple_auth::{GetAuthorizationCookieRequest, GetAuthorizationCookieResponse};
use sluicegate_soap::{AnswerError, Limits, RequestMessage, ResponseMessage};
use sluicegate_terms::{Sha1Digest, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;

/// Path of the Client service, as the native agent spells it (observed-behaviour 1.1).
const CLIENT: &str = "ClientWebService/client.asmx";
/// Path of the Reporting service.
const REPORTING: &str = "ReportingWebService/ReportingWebService.asmx";
/// The one authorization plug-in there is (MS-WUSP 2.2.2.2.1).
const PLUG_IN: &str = "SimpleTargeting";

/// What a session needs from outside.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// How long to put up with a busy server.
    pub patience: Patience,
    /// Longest answer, uncompressed, in bytes. Pages of 51 MB were seen (observed-behaviour 3.3).
    pub longest_answer: usize,
    /// Where to read the time.
    pub clock: Clock,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { patience: Patience::default(), longest_answer: 256 << 20, clock: Clock::system() }
    }
}

/// A session with one server.
#[derive(Debug)]
pub struct Session {
    caller: Caller,
    profile: Arc<Profile>,
    clock: Clock,
    limits: Limits,
    config: Option<Config>,
    cookie: Option<Cookie>,
    /// Until when the cookie is used without asking.
    cookie_until: Timestamp,
    /// The cookie that was given up, for `oldCookie`.
    old_cookie: Option<Cookie>,
    registered: bool,
    /// The server asked to register, whatever its configuration says.
    must_register: bool,
    refresh_due: bool,
    relocate_due: bool,
    /// Where files are, as the server last said.
    locations: HashMap<Sha1Digest, Box<str>>,
    recoveries: Recoveries,
}

impl Session {
    /// A session that has not called yet.
    #[must_use]
    pub fn new(pool: Arc<Pool>, profile: Arc<Profile>, options: SessionOptions, random: Random) -> Self {
        let limits = Limits { bytes: options.longest_answer, ..Limits::ANSWER };
        Self {
            caller: Caller::new(pool, options.patience, limits, random),
            profile,
            clock: options.clock,
            limits,
            config: None,
            cookie: None,
            cookie_until: Timestamp::MIN,
            old_cookie: None,
            registered: false,
            must_register: false,
            refresh_due: false,
            relocate_due: false,
            locations: HashMap::new(),
            recoveries: Recoveries::default(),
        }
    }

    /// Lets somebody watch the calls.
    pub fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.caller.observer = Some(observer);
    }

    /// Lets pages be remembered together with other agents; see [`PageMemory`]. Only for holders that
    /// need no more of a Core fragment than the identity.
    pub fn share_pages(&mut self, memory: Arc<PageMemory>) {
        self.caller.memory = Some(memory);
    }

    /// The computer that speaks.
    #[must_use]
    pub fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// The server's connections.
    #[must_use]
    pub fn pool(&self) -> &Arc<Pool> {
        &self.caller.pool
    }

    /// Where this session reads the time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// True when revision ids must be refreshed before they are used.
    #[must_use]
    pub fn refresh_due(&self) -> bool {
        self.refresh_due
    }

    /// A setting of the server's configuration.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        let properties = &self.config.as_ref()?.properties;
        let property = properties.iter().find(|p| p.name.as_deref() == Some(name))?;
        property.value.as_deref()
    }

    /// Nothing is held any more, so no revision id is stale.
    pub fn forget_refresh(&mut self) {
        self.refresh_due = false;
    }

    /// A new scan begins: faults may be reacted to again.
    pub fn begin_scan(&mut self) {
        self.recoveries.reset();
    }

    /// Gets whatever is missing: configuration, cookie, registration. With an unexpired cookie this makes
    /// no call at all (observed-behaviour 2).
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn ensure_ready(&mut self) -> Result<(), AgentError> {
        loop {
            let step = match self.missing() {
                None => return Ok(()),
                Some(Missing::Config) => self.get_config().await,
                Some(Missing::Cookie) => self.get_cookie().await,
                Some(Missing::Registration) => self.register().await,
                Some(Missing::Locations) => self.relocate().await,
            };
            if let Err(error) = step {
                self.recover(error)?;
            }
        }
    }

    fn missing(&self) -> Option<Missing> {
        let Some(config) = &self.config else { return Some(Missing::Config) };
        if self.cookie.is_none() || self.cookie_until <= self.clock.now() {
            return Some(Missing::Cookie);
        }
        let wanted = config.is_registration_required || self.must_register;
        if wanted && !self.registered {
            return Some(Missing::Registration);
        }
        self.relocate_due.then_some(Missing::Locations)
    }

    /// Calls an operation that needs a cookie, again after whatever a fault asked for. `build` makes the
    /// request; it is called once per attempt.
    async fn call<R: RequestMessage>(
        &mut self,
        service: &str,
        uses_ids: UsesIds,
        build: impl Fn(&Profile, Option<Cookie>) -> R,
    ) -> Result<Reply, AgentError> {
        loop {
            self.ensure_ready().await?;
            if uses_ids == UsesIds::Yes && self.refresh_due {
                return Err(AgentError::RefreshRequired { operation: R::OPERATION.name });
            }
            let request = build(&self.profile, self.cookie.clone());
            let path = self.caller.pool.address().join(service);
            match self.caller.call(&path, &request).await {
                Ok(reply) => return Ok(reply),
                Err(error) => self.recover(error)?,
            }
        }
    }

    /// Notes what a fault asks for; an error when it asks for nothing that can be done now.
    fn recover(&mut self, error: AgentError) -> Result<(), AgentError> {
        let AgentError::Fault { operation, fault } = error else { return Err(error) };
        let wanted = fault.error_code.map_or(Reaction::Never, reaction);
        if matches!(wanted, Reaction::Later | Reaction::Never | Reaction::RetrySoon) {
            return Err(AgentError::Fault { operation, fault });
        }
        if !self.recoveries.take() {
            return Err(AgentError::RecoveredTooOften { operation, recoveries: Recoveries::MOST, fault });
        }
        log_recovery(&self.profile, operation, &fault, wanted);
        match wanted {
            Reaction::StartOver => {
                // Discarded, not renewed (MS-WUSP 2.2.2.4); another server does not know this computer.
                self.config = None;
                self.cookie = None;
                self.old_cookie = None;
                self.registered = false;
                self.refresh_due = true;
            }
            Reaction::Reconfigure => {
                self.config = None;
                self.old_cookie = self.cookie.take().or(self.old_cookie.take());
            }
            Reaction::RenewCookie => self.old_cookie = self.cookie.take().or(self.old_cookie.take()),
            Reaction::Register => {
                self.registered = false;
                self.must_register = true;
            }
            Reaction::Relocate => self.relocate_due = true,
            Reaction::RetrySoon | Reaction::Later | Reaction::Never => {}
        }
        Ok(())
    }

    async fn get_config(&mut self) -> Result<(), AgentError> {
        let request = GetConfigRequest { protocol_version: Some(CLIENT_PROTOCOL.to_owned()) };
        let path = self.caller.pool.address().join(CLIENT);
        let body = self.caller.call(&path, &request).await?.body;
        self.config = Some(read::<GetConfigResponse>(&body, &self.limits)?.config);
        Ok(())
    }

    async fn get_cookie(&mut self) -> Result<(), AgentError> {
        let (service, last_change) = {
            let config = self.config.as_ref();
            let plug_in = config
                .and_then(|c| c.auth_info.iter().find(|info| info.plug_in_id.as_deref() == Some(PLUG_IN)))
                .ok_or(AgentError::NoPlugIn)?;
            let url = plug_in.service_url.as_deref().unwrap_or("SimpleAuthWebService/SimpleAuth.asmx");
            (self.caller.pool.address().join(url), config.map_or(Timestamp::MIN, |c| c.last_change))
        };
        let auth = GetAuthorizationCookieRequest {
            client_id: Some(self.profile.id.to_string()),
            target_group_name: self.profile.target_group.clone(),
            dns_name: Some(self.profile.dns_name.clone()),
        };
        let body = self.caller.call(&service, &auth).await?.body;
        let auth: AuthorizationCookie = read::<GetAuthorizationCookieResponse>(&body, &self.limits)?.cookie;
        let now = self.clock.now();
        // The first call has an old cookie without data that expires now (observed-behaviour 2).
        let old = self.old_cookie.clone().unwrap_or(Cookie { expiration: now, encrypted_data: None });
        let request = GetCookieRequest {
            auth_cookies: vec![auth],
            old_cookie: Some(old),
            last_change,
            current_time: now,
            protocol_version: Some(CLIENT_PROTOCOL.to_owned()),
        };
        let path = self.caller.pool.address().join(CLIENT);
        let body = self.caller.call(&path, &request).await?.body;
        let cookie = read::<GetCookieResponse>(&body, &self.limits)?.cookie;
        // A new cookie that has expired shows only that the clocks differ: then the server must say when.
        let now = self.clock.now();
        self.cookie_until = if cookie.expiration > now { cookie.expiration } else { Timestamp::MAX };
        self.cookie = Some(cookie);
        self.old_cookie = None;
        Ok(())
    }

    async fn register(&mut self) -> Result<(), AgentError> {
        let request = RegisterComputerRequest {
            cookie: self.cookie.clone(),
            computer_info: Some(computer_info(&self.profile)),
        };
        let path = self.caller.pool.address().join(CLIENT);
        match self.caller.call(&path, &request).await {
            Ok(_) => {}
            // The server does not want what its configuration asked for: just as well.
            Err(AgentError::Fault { fault, .. })
                if fault.error_code == Some(ErrorCode::RegistrationNotRequired) => {}
            Err(error) => return Err(error),
        }
        self.registered = true;
        self.must_register = false;
        Ok(())
    }

    /// Every `NewCookie` replaces the cookie (observed-behaviour 2).
    fn take_cookie(&mut self, new: Option<Cookie>) {
        if new.is_some() {
            self.cookie = new;
        }
    }
}

/// What must be had before the next call.
enum Missing {
    Config,
    Cookie,
    Registration,
    Locations,
}

/// Whether a request names revisions by their numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UsesIds {
    Yes,
    No,
}

/// Reads an answer.
fn read<'a, A: ResponseMessage<'a>>(body: &'a [u8], limits: &Limits) -> Result<A, AgentError> {
    let operation = A::OPERATION.name;
    A::decode(body, limits).map_err(|error| match error {
        AnswerError::Fault(fault) => AgentError::Fault { operation, fault },
        AnswerError::Unreadable(source) => AgentError::Unreadable { operation, source },
    })
}

fn log_recovery(profile: &Profile, operation: &str, fault: &ReceivedFault, wanted: Reaction) {
    tracing::debug!(computer = %profile.dns_name, operation, %fault, reaction = ?wanted, "fault");
}

/// What RegisterComputer says (observed-behaviour 2).
fn computer_info(profile: &Profile) -> ComputerInfo {
    let (major, minor, build) = profile.os_version;
    let [agent_major, agent_minor, agent_build, agent_fix] = AGENT_VERSION;
    let unknown = || Some("unknown".to_owned());
    ComputerInfo {
        dns_name: Some(profile.dns_name.clone()),
        os_major_version: major,
        os_minor_version: minor,
        os_build_number: build,
        os_service_pack_major_number: 0,
        os_service_pack_minor_number: 0,
        os_locale: profile.locales.first().cloned(),
        computer_manufacturer: Some(profile.manufacturer.clone()),
        computer_model: Some(profile.model.clone()),
        bios_version: Some(profile.bios_version.clone()),
        bios_name: unknown(),
        // 2022-02-02, the date of a common virtual firmware.
        bios_release_date: Timestamp::from_unix_seconds(1_643_760_000),
        processor_architecture: Some(profile.architecture.clone()),
        suite_mask: 256,
        old_product_type: u8::try_from(profile.old_product_type).unwrap_or(1),
        new_product_type: profile.product_type,
        system_metrics: 0,
        client_version_major_number: agent_major,
        client_version_minor_number: agent_minor,
        client_version_build_number: agent_build,
        client_version_qfe_number: agent_fix,
        os_description: Some(profile.os_description.clone()),
        oem: Some(profile.manufacturer.clone()),
        device_type: Some(profile.model.clone()),
        firmware_version: unknown(),
        mobile_operator: Some("Not Present".to_owned()),
    }
}
