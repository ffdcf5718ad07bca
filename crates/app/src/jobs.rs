//! Work that nobody waits for.

pub(crate) mod digest;
pub(crate) mod send_mail;
pub(crate) mod worker;
