//! The web server: API for programs, pages for people.

pub(crate) mod api;
pub(crate) mod auth;
pub(crate) mod client;
pub(crate) mod error;
pub(crate) mod files;
pub(crate) mod health;
pub(crate) mod pages;
pub(crate) mod router;
pub(crate) mod security;
pub(crate) mod server;
pub(crate) mod session;
