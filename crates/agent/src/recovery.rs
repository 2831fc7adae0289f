//! Agent: what to do about each fault (MS-WUSP 2.2.2.4, observed-behaviour 1.5) and about a busy server.
//! Pure; the session acts on it.

use crate::random::Random;
use sluicegate_soap::fault::ErrorCode;
use std::time::Duration;

/// What an agent does when a call was answered with a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reaction {
    /// GetConfig, GetAuthorizationCookie, GetCookie, then RefreshCache before revision ids are used.
    StartOver,
    /// GetConfig, GetAuthorizationCookie, GetCookie.
    Reconfigure,
    /// GetAuthorizationCookie, GetCookie.
    RenewCookie,
    /// RegisterComputer.
    Register,
    /// GetFileLocations.
    Relocate,
    /// The same call again, soon: the server is only busy.
    RetrySoon,
    /// Give up this scan; another may work.
    Later,
    /// Give up: the same call would be wrong again.
    Never,
}

/// The reaction to a fault.
#[must_use]
pub fn reaction(code: ErrorCode) -> Reaction {
    match code {
        ErrorCode::InvalidCookie | ErrorCode::ServerChanged => Reaction::StartOver,
        ErrorCode::ConfigChanged => Reaction::Reconfigure,
        // The specification names no reaction to InvalidAuthorizationCookie; a new one is what helps.
        ErrorCode::CookieExpired | ErrorCode::InvalidAuthorizationCookie => Reaction::RenewCookie,
        ErrorCode::RegistrationRequired => Reaction::Register,
        // Table and prose spell it differently (FileLocationsChanged); the codec knows both.
        ErrorCode::FileLocationChanged => Reaction::Relocate,
        ErrorCode::ServerBusy => Reaction::RetrySoon,
        ErrorCode::InternalServerError => Reaction::Later,
        _ => Reaction::Never,
    }
}

/// How patient an agent is with a busy server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Refusals of one call before the scan is given up.
    pub refusals: u32,
    /// First wait when the server names none; doubles with every refusal.
    pub first_wait: Duration,
    /// Longest wait when the server names none.
    pub longest_wait: Duration,
    /// Longest `Retry-After` that is honoured; a longer one ends the scan.
    pub longest_retry_after: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            refusals: 30,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            longest_retry_after: Duration::from_secs(600),
        }
    }
}

impl Patience {
    /// How long to wait after the `refusal`-th refusal (from 1), or `None` to give up. Never shorter than
    /// the server asked for; jitter of up to half as much again keeps a fleet from returning at once.
    pub fn wait(&self, refusal: u32, retry_after: Option<Duration>, random: &mut Random) -> Option<Duration> {
        if refusal > self.refusals {
            return None;
        }
        let base = match retry_after {
            Some(asked) if asked > self.longest_retry_after => return None,
            Some(asked) => asked,
            None => {
                let doubled = 2_u32.saturating_pow(refusal.saturating_sub(1).min(20));
                self.first_wait.saturating_mul(doubled).min(self.longest_wait)
            }
        };
        Some(base + random.span(base / 2))
    }
}

/// Counts reactions within one scan, so that a server that always answers with the same fault cannot keep
/// an agent busy for ever.
#[derive(Clone, Debug, Default)]
pub struct Recoveries {
    taken: u32,
}

impl Recoveries {
    /// Reactions allowed per scan.
    pub const MOST: u32 = 6;

    /// Counts one more; false when it would be one too many.
    pub fn take(&mut self) -> bool {
        self.taken += 1;
        self.taken <= Self::MOST
    }

    /// A new scan begins.
    pub fn reset(&mut self) {
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_the_reaction_the_specification_names() {
        use ErrorCode as E;
        for (code, expected) in [
            (E::InvalidCookie, Reaction::StartOver),
            (E::ServerChanged, Reaction::StartOver),
            (E::ConfigChanged, Reaction::Reconfigure),
            (E::CookieExpired, Reaction::RenewCookie),
            (E::RegistrationRequired, Reaction::Register),
            (E::FileLocationChanged, Reaction::Relocate),
            (E::ServerBusy, Reaction::RetrySoon),
            (E::InternalServerError, Reaction::Later),
            (E::InvalidParameters, Reaction::Never),
            (E::RegistrationNotRequired, Reaction::Never),
        ] {
            assert_eq!(reaction(code), expected, "{code:?}");
        }
    }

    #[test]
    fn retry_after_is_never_undercut_and_patience_ends() {
        let patience = Patience { refusals: 3, ..Patience::default() };
        let mut random = Random::seeded(3);
        for _ in 0..100 {
            let wait = patience.wait(1, Some(Duration::from_secs(10)), &mut random).unwrap();
            assert!((10.0..=15.0).contains(&wait.as_secs_f64()), "{wait:?}");
        }
        assert!(patience.wait(4, Some(Duration::from_secs(1)), &mut random).is_none());
        assert!(patience.wait(1, Some(Duration::from_secs(3600)), &mut random).is_none());
    }

    #[test]
    fn without_retry_after_waits_double_up_to_a_bound() {
        let patience = Patience::default();
        let mut random = Random::seeded(4);
        let mut wait = |refusal| patience.wait(refusal, None, &mut random).unwrap().as_secs_f64();
        assert!((1.0..=1.5).contains(&wait(1)));
        assert!((4.0..=6.0).contains(&wait(3)));
        assert!((60.0..=90.0).contains(&wait(29)));
    }
}
