//! Calls to other servers over HTTP, to addresses that are not only ours to choose.
//!
//! A sign-in provider says itself where its keys and tokens are, so what we call is decided elsewhere. Names are
//! resolved here, once, and the connection is made to an address that was looked at: loopback, private and other special
//! ranges are refused unless the settings allow them. Redirects are not followed and proxies of the environment are not
//! used, for both would go round this.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect};

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutgoingError {
    /// The address is none that is called.
    #[error("`{0}` is not called: {1}")]
    Address(String, &'static str),
    /// Nobody answered as they should.
    #[error("`{host}` cannot be reached: {cause}")]
    Unreachable {
        /// Who.
        host: String,
        /// Why.
        cause: String,
    },
    /// The answer says no.
    #[error("`{host}` answered {status}: {text}")]
    Refused {
        /// Who.
        host: String,
        /// The status.
        status: u16,
        /// The beginning of the answer.
        text: String,
    },
    /// The answer is not what it should be.
    #[error("`{host}` answered something that cannot be understood: {cause}")]
    Answer {
        /// Who.
        host: String,
        /// Why.
        cause: String,
    },
}

/// Makes calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    client: Client,
    allow_private: bool,
}

impl Caller {
    /// Calls public addresses over TLS, or any if `allow_private`.
    pub(crate) fn new(allow_private: bool) -> Result<Caller, reqwest::Error> {
        // Whoever set another provider for this process has done what is needed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .user_agent("rollbook")
            .dns_resolver(Arc::new(Guarded { allow_private }))
            .build()?;
        Ok(Caller {
            client,
            allow_private,
        })
    }

    /// An address that may be called.
    pub(crate) fn address(&self, text: &str) -> Result<Url, OutgoingError> {
        let refused = |why| OutgoingError::Address(text.chars().take(200).collect(), why);
        let url: Url = text.parse().map_err(|_| refused("it is no address"))?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_private => {}
            _ => return Err(refused("it does not begin with https://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("it holds a name or a password"));
        }
        // An address in numbers is never resolved.
        let host = url.host_str().ok_or_else(|| refused("it names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = host.parse::<IpAddr>()
            && !self.allow_private
            && !is_public(ip)
        {
            return Err(refused(
                "it is in a private network; set `allow_private_calls = true` if that is meant",
            ));
        }
        Ok(url)
    }

    /// Makes a call. Whatever is no success is an error, also a redirect.
    pub(crate) async fn call(
        &self,
        request: Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, OutgoingError> {
        let (head, body) = request.into_parts();
        let url = self.address(&head.uri.to_string())?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let request = self.client.request(head.method, url);
        let sent = request.headers(head.headers).body(body).send().await;
        let mut answer = sent.map_err(|error| unreachable(host.clone(), &error))?;
        let status = answer.status();
        let mut body = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_ANSWER => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => {
                    let cause = format!("it is longer than {MAX_ANSWER} bytes");
                    return Err(OutgoingError::Answer { host, cause });
                }
                Ok(None) => break,
                Err(error) => return Err(unreachable(host, &error)),
            }
        }
        if !status.is_success() {
            let text = String::from_utf8_lossy(&body);
            return Err(OutgoingError::Refused {
                host,
                status: status.as_u16(),
                text: text.chars().take(200).collect(),
            });
        }
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

/// Why nobody was reached, down to the first cause, without the address, which may hold what is secret.
fn unreachable(host: String, error: &reqwest::Error) -> OutgoingError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    OutgoingError::Unreachable {
        host,
        cause: cause.to_string(),
    }
}

/// Resolves names, and forgets addresses that are not called.
#[derive(Debug)]
struct Guarded {
    allow_private: bool,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found
                .filter(|address| allow_private || is_public(address.ip()))
                .collect();
            if found.is_empty() {
                return Err("its address is in a private network; set `allow_private_calls = true` if that is meant".into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is on the public internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || a == 10
        || a == 127
        || (a == 100 && (64..128).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        // Multicast, reserved, broadcast.
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let v4 =
        |high: u16, low: u16| is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    // An IPv4 address in other clothes: mapped, translated, 6to4.
    if let [0, 0, 0, 0, 0, 0xffff, high, low]
    | [0, 0, 0, 0, 0xffff, 0, high, low]
    | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
    | [0x2002, high, low, ..] = parts
    {
        return v4(high, low);
    }
    // Teredo and the rest of the special block, and documentation.
    let special = matches!(
        parts,
        [0x2001, 0..0x200 | 0xdb8, ..] | [0x3fff, 0..0x1000, ..]
    );
    // Only this block is given out: no loopback, local, unique local or multicast address is in it.
    (0x2000..0x4000).contains(&parts[0]) && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(url: &str) -> Request<Vec<u8>> {
        Request::get(url).body(Vec::new()).unwrap()
    }

    #[test]
    fn only_public_addresses_are_called() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.8",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "100::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn addresses_in_numbers_are_looked_at_however_they_are_written() {
        let guarded = Caller::new(false).unwrap();
        for refused in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
            "http://login.example/",
            "file:///etc/passwd",
            "https://name:password@login.example/",
            "login.example",
        ] {
            assert!(guarded.address(refused).is_err(), "{refused}");
        }
        assert!(guarded.address("https://login.example/keys").is_ok());
        let open = Caller::new(true).unwrap();
        assert!(open.address("http://127.0.0.1:8080/").is_ok());
        assert!(open.address("ftp://127.0.0.1/").is_err());
    }

    #[tokio::test]
    async fn a_name_that_leads_into_a_private_network_is_not_called() {
        let guarded = Caller::new(false).unwrap();
        let called = guarded.call(get("https://localhost:9/")).await;
        let error = called.unwrap_err().to_string();
        assert!(error.contains("private network"), "{error}");
    }

    #[tokio::test]
    async fn redirects_are_not_followed_and_long_answers_are_cut_off() {
        use axum::Router;
        use axum::response::Redirect;
        use axum::routing;

        let routes = Router::new()
            .route("/there", routing::get(|| async { "{}" }))
            .route(
                "/redirect",
                routing::get(|| async { Redirect::to("/there") }),
            )
            .route(
                "/long",
                routing::get(|| async { "x".repeat(MAX_ANSWER + 1) }),
            );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let open = Caller::new(true).unwrap();
        let called = async |path: &str| open.call(get(&format!("{url}{path}"))).await;
        assert_eq!(called("/there").await.unwrap().body(), b"{}");
        let redirected = called("/redirect").await.unwrap_err();
        assert!(
            matches!(redirected, OutgoingError::Refused { status: 303, .. }),
            "{redirected}"
        );
        let long = called("/long").await.unwrap_err();
        assert!(matches!(long, OutgoingError::Answer { .. }), "{long}");
    }
}
