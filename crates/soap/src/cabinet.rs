//! (owner B)
