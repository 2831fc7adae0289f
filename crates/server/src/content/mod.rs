//! The content and self-update directories (MS-WUSP 2.2.2.5): files served whole or in ranges.

pub mod conditions;
pub mod kinds;
pub mod range;
pub mod respond;
pub mod self_update;
pub mod stream;
