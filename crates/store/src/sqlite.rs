//! The embedded store: one SQLite file.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the store that calls it is not here yet")
)]
mod log;
