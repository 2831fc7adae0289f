//! Policy: a server's place in a tree of servers. What it takes over from its upstream and what it
//! decides itself, when it synchronizes, what it wants, and when it fetches files. No I/O, no clock.

mod adopt;
mod content;
mod filter;
mod kept;
mod mode;
mod patience;
mod schedule;

pub use adopt::{Adopted, Place, UpstreamDecisions, UpstreamDeployment, adopt};
pub use content::{ContentError, ContentPolicy, ContentWhen};
pub use filter::{Choice, FilterError, FilterPart, MOST_CHOSEN, SyncFilter};
pub use kept::{KeptDecisions, bring_back};
pub use mode::{Mode, ModeError};
pub use patience::{Patience, PatienceError};
pub use schedule::{Schedule, ScheduleError};
