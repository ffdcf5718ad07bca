//! Privacy: erasing a person, telling everything that is kept about one, and for how long things are kept.

pub(crate) mod erase;
pub(crate) mod files;
pub(crate) mod person;
