//! Generated contacts, for the benchmark and the crash test.
//!
//! The rule of this library: no dependency on the product. What it says about its rows is known from how they were
//! made, never from reading them back, so that it can contradict the engine.

pub mod generate;
pub mod random;
