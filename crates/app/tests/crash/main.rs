//! Killed at random moments, Rollbook loses nothing and does nothing twice.
//!
//! Imports and servers of the built binary are ended with SIGKILL and started again. Afterwards every acknowledged
//! record is in the log exactly once, attempts equal records, and contacts equal those of a naive model that knows
//! what each generated row meant.
//!
//! `ROLLBOOK_KILLS` says how many kills all tests do together, `ROLLBOOK_CRASH_SEED` which generated records and
//! delays they use. SIGKILL leaves what the system has taken in memory, so this is about processes that die, not about
//! power that fails.

mod calls;
mod erase;
mod formats;
mod import;
mod kills;
mod model;
mod process;
mod review;
mod stop;
mod undo;
mod upload;
