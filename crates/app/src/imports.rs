//! The use cases: the only place where sources, engine and store meet.

pub(crate) mod check;
pub(crate) mod continuation;
pub(crate) mod edits;
pub(crate) mod failed_rows;
pub(crate) mod intake;
pub(crate) mod options;
pub(crate) mod preview;
pub(crate) mod profiles;
pub(crate) mod receive;
pub(crate) mod replay;
pub(crate) mod review;
pub(crate) mod run;
pub(crate) mod said;
pub(crate) mod stream;
pub(crate) mod summary;
pub(crate) mod template;
pub(crate) mod undo;
