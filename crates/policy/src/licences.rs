//! Policy: licence terms. An update with terms is not put on computers before somebody accepted them; the
//! administrator does so for all computers (MS-WUSP 3.1.1.1, the note on Eula fragments), and downstream
//! servers learn of it (MS-WSUSSS 3.1.4.10, AcceptedEulas).

use crate::approvals::{Change, Stamp};
use crate::decisions::Decisions;
use crate::refusals::ApprovalError;
use crate::succession::HoldReason;
use core::fmt;
use core::str::FromStr;
use sluicegate_terms::{Guid, TermError, UpdateId};

/// The id of licence terms (`Properties/@EulaID`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EulaId(pub Guid);

impl fmt::Display for EulaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EulaId {
    type Err = TermError;
    fn from_str(text: &str) -> Result<Self, TermError> {
        text.parse().map(Self)
    }
}

/// That somebody accepted licence terms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acceptance {
    /// Who.
    pub by: String,
    /// When.
    pub change: Change,
}

impl Decisions {
    /// Accepts licence terms, once for all updates that have them. Revisions that were held because of these
    /// terms are put in service, or wait for review where approvals do not follow by themselves. Answers
    /// the updates put in service. Terms accepted before stay accepted by whoever did it first.
    ///
    /// # Errors
    /// When no deployment id is left.
    pub fn accept_eula(
        &mut self,
        eula: EulaId,
        by: String,
        stamp: &mut Stamp,
    ) -> Result<Vec<UpdateId>, ApprovalError> {
        if self.accepted.contains_key(&eula) {
            return Ok(Vec::new());
        }
        self.accepted.insert(eula, Acceptance { by, change: stamp.change });
        let waiting: Vec<UpdateId> = self
            .held
            .iter()
            .filter(|(_, hold)| hold.reason == HoldReason::Eula(eula))
            .map(|(update, _)| *update)
            .collect();
        if !self.options.approvals_follow {
            for update in waiting {
                if let Some(hold) = self.held.get_mut(&update) {
                    hold.reason = HoldReason::Review;
                }
            }
            return Ok(Vec::new());
        }
        for update in &waiting {
            self.put_in_service(*update, stamp)?;
        }
        Ok(waiting)
    }

    /// Whether an update with these terms may be put on computers.
    #[must_use]
    pub fn may_install(&self, eula: Option<EulaId>) -> bool {
        eula.is_none_or(|eula| self.accepted.contains_key(&eula))
    }
}
