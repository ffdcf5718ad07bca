//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::Extensions;
use axum::http::request::Parts;

use crate::app::App;
use crate::http::pages::error::PageError;

/// A form at which passwords, codes and links can be guessed: each network may send so many of them. Holds the address
/// it comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Knock(pub(crate) Option<IpAddr>);

/// The address of whoever sent the request with these extensions; none if it did not come over the network.
pub(crate) fn ip(extensions: &Extensions) -> Option<IpAddr> {
    let info = extensions.get::<ConnectInfo<SocketAddr>>();
    info.map(|ConnectInfo(address)| address.ip().to_canonical())
}

/// The same as a text; empty if it did not come over the network.
pub(crate) fn address(extensions: &Extensions) -> String {
    text(ip(extensions))
}

/// An address as a text.
pub(crate) fn text(ip: Option<IpAddr>) -> String {
    ip.map(|ip| ip.to_string()).unwrap_or_default()
}

impl FromRequestParts<App> for Knock {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Knock, PageError> {
        let ip = ip(&parts.extensions);
        app.door.sign_in(ip)?;
        Ok(Knock(ip))
    }
}
