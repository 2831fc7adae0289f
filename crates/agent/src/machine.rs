//! Agent: what an agent needs of the computer it runs on. The simulator has one implementation; the
//! agent itself never asks the operating system anything.

use crate::cache::Verdict;
use crate::download::Contents;
use crate::fragments::{CoreFacts, ExtendedFacts, FileSpec};
use crate::hresult::HResult;
use sluicegate_soap::client::sync_updates::Device;

/// A computer that updates can be judged for and installed on.
pub trait Machine: Send + Sync {
    /// What the computer makes of a revision's applicability rules, to judge them again and again.
    type Rules: Send + Sync;

    /// Reads the rules of a Core fragment. Rules that cannot be read must judge as not applicable.
    fn learn(&self, core: &CoreFacts, xml: &str) -> Self::Rules;

    /// Judges a revision by its own rules.
    fn judge(&self, core: &CoreFacts, rules: &Self::Rules) -> Verdict;

    /// The devices of the driver pass.
    fn devices(&self) -> Vec<Device>;

    /// Installs one revision, whose files were downloaded and verified.
    fn install(
        &mut self,
        core: &CoreFacts,
        rules: &Self::Rules,
        extended: &ExtendedFacts,
        files: &[(FileSpec, Contents)],
    ) -> Outcome;

    /// Removes one revision.
    fn uninstall(&mut self, core: &CoreFacts) -> Outcome;

    /// Restarts; what waited for it takes effect.
    fn restart(&mut self);
}

/// How an installation or removal ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Done.
    Succeeded,
    /// Done once the computer has restarted.
    RestartRequired,
    /// Not done.
    Failed(HResult),
}

impl Outcome {
    /// The outcome of several parts together: the first failure, else whether any needs a restart.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        match (self, next) {
            (Self::Failed(code), _) | (_, Self::Failed(code)) => Self::Failed(code),
            (Self::RestartRequired, _) | (_, Self::RestartRequired) => Self::RestartRequired,
            _ => Self::Succeeded,
        }
    }
}
