//! Synchronization: which server answers at the upstream's address. Anchors are of one server: another one under the
//! same name, which is how update servers are usually replaced, would take them for its own and keep from us what it
//! had before.

use super::{Run, SyncError};
use sluicegate_soap::client::{Base64, Cookie};
use sluicegate_soap::server_reporting::{
    GetRollupConfigurationRequest, GetRollupConfigurationResponse, RollupConfiguration,
};
use sluicegate_store::hierarchy::UpstreamSource;
use sluicegate_terms::{Guid, Timestamp};

/// The cookie of rollup calls (MS-WSUSSS 3.2.4.5).
pub(super) fn cookie() -> Option<Cookie> {
    Some(Cookie { expiration: Timestamp::MAX, encrypted_data: Some(Base64(Vec::new())) })
}

impl Run {
    /// Asks the upstream who it is, before anything is asked with an anchor. The only answer that says it is the
    /// configuration of rollup (MS-WSUSSS 3.1.4.13); an upstream that does not give it is taken for the one before.
    pub(super) async fn who_answers(&mut self) -> Result<(), SyncError> {
        self.rollup_configuration = None;
        if self.settings.source == Some(UpstreamSource::MicrosoftUpdate) {
            return Ok(());
        }
        let asked = self.session.report_once(&GetRollupConfigurationRequest { cookie: cookie() }).await;
        let decoded = asked.and_then(|body| {
            self.session.decode_report::<GetRollupConfigurationResponse>(&body).map(|r| r.configuration)
        });
        match decoded {
            Ok(config) => {
                self.note_server(&config).await?;
                self.rollup_configuration = Some(config);
                Ok(())
            }
            Err(error) if error.ends_everything() => Err(error),
            Err(error) => {
                tracing::info!(%error, "the upstream does not say who it is");
                Ok(())
            }
        }
    }

    /// The configuration of rollup, asked for unless the upstream said it before.
    pub(super) async fn rollup_configuration(&mut self) -> Result<RollupConfiguration, SyncError> {
        if let Some(config) = self.rollup_configuration.take() {
            return Ok(config);
        }
        let body = self.session.report(&GetRollupConfigurationRequest { cookie: cookie() }).await?;
        let config = self.session.decode_report::<GetRollupConfigurationResponse>(&body)?.configuration;
        if self.note_server(&config).await? {
            // What was asked with the anchors of another server has to be asked again.
            return Err(SyncError::ServerChanged);
        }
        Ok(config)
    }

    /// Notes who answers; whether it is another server than before.
    async fn note_server(&mut self, config: &RollupConfiguration) -> Result<bool, SyncError> {
        let (id, now) = (config.server_id, self.around.now());
        if id == Guid::ZERO {
            return Ok(false);
        }
        let Some(was) = self.on_store(move |store| store.note_upstream_server(id, now)).await? else {
            return Ok(false);
        };
        self.replaced = true;
        self.progress.warn(&format!(
            "another server answers at the upstream's address ({id}, before it was {was}), so everything is asked for anew"
        ));
        Ok(true)
    }
}
