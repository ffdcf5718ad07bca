//! Work that nobody waits for.

pub(crate) mod digest;
pub(crate) mod erase;
pub(crate) mod send_mail;
pub(crate) mod sweep;
pub(crate) mod worker;
