//! Where a request comes from.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::Extensions;
use axum::http::request::Parts;

/// The address of whoever sent the request.
#[derive(Debug, Clone)]
pub(crate) struct ClientAddress(pub(crate) String);

/// The address of whoever sent the request with these extensions; none if it did not come over the network.
pub(crate) fn ip(extensions: &Extensions) -> Option<IpAddr> {
    let info = extensions.get::<ConnectInfo<SocketAddr>>();
    info.map(|ConnectInfo(address)| address.ip().to_canonical())
}

/// The same as a text; empty if it did not come over the network.
pub(crate) fn address(extensions: &Extensions) -> String {
    ip(extensions).map(|ip| ip.to_string()).unwrap_or_default()
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<ClientAddress, Infallible> {
        Ok(ClientAddress(address(&parts.extensions)))
    }
}
