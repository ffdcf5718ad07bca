//! The embedded store: one SQLite file.

mod log;

#[doc(hidden)]
pub use log::speed::log_speed;
