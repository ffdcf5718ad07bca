//! Connections: how many there are, and how long each may take to say what it wants and to hear the answer.
//!
//! A slow client costs a connection and a little memory, so what is limited is how many connections there are, how many
//! of them one network has, and how long each may be silent: before its first request, between requests, in the middle
//! of a body, and while it does not read an answer.

mod body;
mod stream;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderMap;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::Service;

pub(crate) use body::TooSlow;

use crate::config::Config;
use crate::door::network::{Network, Proxies};
use body::Patient;
use stream::Stream;

/// How long a new connection may take for the head of its first request.
const FIRST_HEAD: Duration = Duration::from_secs(15);

/// How long a connection may be idle between two requests, the head of the next one included. Longer than proxies keep
/// theirs, so that they end them and not we, just when they send.
const IDLE: Duration = Duration::from_secs(75);

/// The longest head of a request in bytes.
const MAX_HEAD: usize = 64 << 10;

/// How long to wait when the system has no more connections for us.
const EXHAUSTED: Duration = Duration::from_secs(1);

/// What every connection shares.
#[derive(Debug)]
struct Limits {
    proxies: Proxies,
    /// How many connections one network may have; proxies of ours have no limit.
    per_network: usize,
    networks: Mutex<HashMap<Network, usize>>,
}

/// A connection of a network; gives its place back at its end.
#[derive(Debug)]
struct Place {
    limits: Arc<Limits>,
    network: Option<Network>,
}

/// Serves until told to stop; then what is being answered is finished.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    config: &Config,
    told: impl Future<Output = ()>,
) {
    let limits = Arc::new(Limits {
        proxies: config.trusted_proxies.clone(),
        per_network: (config.max_connections / 2).max(1),
        networks: Mutex::default(),
    });
    let places = Arc::new(Semaphore::new(config.max_connections));
    // Everything that can be prepared is, once and not for each request.
    let router: Router = router.with_state(());
    let (stop, stopped) = watch::channel(false);
    let mut connections = tokio::task::JoinSet::new();
    let mut told = pin!(told);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            // Only so that those that ended are not kept.
            Some(_) = connections.join_next() => continue,
            () = &mut told => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Told by closing it: there is nobody to read an answer yet.
                let Some(of_network) = limits.admit(peer.ip()) else {
                    continue;
                };
                let (router, stopped) = (router.clone(), stopped.clone());
                connections.spawn(async move {
                    let _places = (place, &of_network);
                    answer(stream, peer, router, &of_network.limits, stopped).await;
                });
            }
            Err(error) if is_of_connection(error.kind()) => {}
            Err(error) => {
                tracing::error!("no connection can be taken: {error}");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
    drop(listener);
    let _ = stop.send(true);
    while connections.join_next().await.is_some() {}
}

impl Limits {
    /// A place for a connection of an address, if its network has one left.
    fn admit(self: &Arc<Limits>, address: IpAddr) -> Option<Place> {
        let mut network = None;
        if !self.proxies.contain(address) {
            let of = Network::of(address);
            let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
            let count = networks.entry(of).or_insert(0);
            if *count >= self.per_network {
                return None;
            }
            *count += 1;
            network = Some(of);
        }
        Some(Place {
            limits: Arc::clone(self),
            network,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let networks = &self.limits.networks;
        let mut networks = networks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = networks.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                networks.remove(&network);
            }
        }
    }
}

/// Answers the requests of a connection.
async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: &Limits,
    mut stopped: watch::Receiver<bool>,
) {
    // Live pages and events are small and shall not wait for more.
    let _ = stream.set_nodelay(true);
    let begun = AtomicBool::new(false);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        begun.store(true, Ordering::Relaxed);
        let mut request = request.map(|body| Body::new(Patient::new(body)));
        let caller = caller(peer, &limits.proxies, request.headers());
        request.extensions_mut().insert(ConnectInfo(caller));
        respond(router.clone(), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(Stream::new(stream)), service);
    let mut connection = pin!(connection);
    let mut first_head = pin!(tokio::time::sleep(FIRST_HEAD));
    let (mut waits, mut goes_on) = (true, true);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!("a connection ended: {error}");
                }
                return;
            }
            () = first_head.as_mut(), if waits => {
                waits = false;
                if !begun.load(Ordering::Relaxed) {
                    return;
                }
            }
            _ = stopped.wait_for(|stopped| *stopped), if goes_on => {
                goes_on = false;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn respond(
    mut router: Router,
    request: Request,
) -> Result<axum::response::Response, Infallible> {
    // A router is always ready.
    router.call(request).await
}

/// Who calls: whoever connected, or who our proxy says it speaks for. The port of somebody behind a proxy is unknown.
fn caller(peer: SocketAddr, proxies: &Proxies, headers: &HeaderMap) -> SocketAddr {
    if !proxies.contain(peer.ip()) {
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter();
    let values: Vec<&str> = forwarded.filter_map(|value| value.to_str().ok()).collect();
    let ip = proxies.caller(peer.ip(), values.into_iter());
    if ip == peer.ip().to_canonical() {
        peer
    } else {
        SocketAddr::new(ip, 0)
    }
}

/// Errors that concern one connection, which has gone before it was ours.
fn is_of_connection(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}
