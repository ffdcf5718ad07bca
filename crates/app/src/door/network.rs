//! Addresses: which of them are one caller, and who a proxy says the caller is.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::Deserialize;

/// What counts as one caller: an IPv4 address, or the /64 that every IPv6 customer has to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Network(IpAddr);

/// A range of addresses, `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    address: IpAddr,
    bits: u8,
}

/// The proxies whose word about the caller is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Proxies(Vec<Range>);

impl Network {
    /// The network of an address.
    pub(crate) fn of(address: IpAddr) -> Network {
        Network(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        })
    }
}

impl Range {
    /// Whether an address lies in it.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        let same = |all: u128, one: u128, width: u32| {
            let rest = width - u32::from(self.bits);
            rest >= 128 || all >> rest == one >> rest
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(address)) => {
                same(u32::from(range).into(), u32::from(address).into(), 32)
            }
            (IpAddr::V6(range), IpAddr::V6(address)) => same(range.into(), address.into(), 128),
            _ => false,
        }
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Range, String> {
        let wrong = || {
            format!(
                "`{text}` is no address; write addresses or ranges such as 10.0.0.5 or 10.0.0.0/8, with commas between them"
            )
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) => bits.trim().parse().map_err(|_| wrong())?,
        };
        if bits > width {
            return Err(wrong());
        }
        Ok(Range { address, bits })
    }
}

impl FromStr for Proxies {
    type Err = String;

    fn from_str(text: &str) -> Result<Proxies, String> {
        let parts = text.split(',').map(str::trim);
        let ranges = parts.filter(|part| !part.is_empty()).map(str::parse);
        Ok(Proxies(ranges.collect::<Result<_, _>>()?))
    }
}

impl TryFrom<String> for Proxies {
    type Error = String;

    fn try_from(text: String) -> Result<Proxies, String> {
        text.parse()
    }
}

impl Proxies {
    /// Whether an address is one of them.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(address))
    }

    /// Who calls, when `peer` connected and `forwarded` are the values of `X-Forwarded-For` in their order: of what
    /// each proxy adds at the end, the last address that is no proxy of ours. What stands before it anybody can write.
    pub(crate) fn caller<'a>(
        &self,
        peer: IpAddr,
        forwarded: impl DoubleEndedIterator<Item = &'a str>,
    ) -> IpAddr {
        let mut caller = peer.to_canonical();
        for part in forwarded.rev().flat_map(|value| value.rsplit(',')) {
            if !self.contain(caller) {
                break;
            }
            match address(part) {
                Some(address) => caller = address,
                None => break,
            }
        }
        caller
    }
}

/// An address as proxies write it, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let plain = text.parse::<IpAddr>().ok();
    let with_port = || {
        text.parse::<std::net::SocketAddr>()
            .ok()
            .map(|text| text.ip())
    };
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let found = plain.or_else(with_port).or_else(in_brackets);
    found.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_ipv6_customer_is_one_caller() {
        let same = |one, other| Network::of(ip(one)) == Network::of(ip(other));
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn ranges_hold_what_lies_in_them() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
        ] {
            let range: Range = range.parse().unwrap();
            assert!(range.contains(ip(inside)), "{range:?}");
            assert!(!range.contains(ip(outside)), "{range:?}");
        }
        assert!(
            "10.0.0.0/8"
                .parse::<Range>()
                .unwrap()
                .contains(ip("::ffff:10.1.1.1"))
        );
        for wrong in ["10.0.0.0/33", "x", "10.0.0.0/", "::/129", "proxy.example"] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_our_proxies_say_who_calls() {
        let proxies: Proxies = "10.0.0.0/8, fd00::/8".parse().unwrap();
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &["203.0.113.5"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.5"], "203.0.113.5"),
            // What the caller wrote itself stands before what our proxy saw.
            ("10.0.0.1", &["198.51.100.1, 203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", &["198.51.100.1", "203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", &["203.0.113.5, 10.0.0.9"], "203.0.113.5"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.5:4711"], "203.0.113.5"),
            ("fd00::1", &["[2001:db8::7]:80"], "2001:db8::7"),
            ("::ffff:10.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
        ] {
            let caller = proxies.caller(ip(peer), forwarded.iter().copied());
            assert_eq!(caller, ip(expected), "{peer} {forwarded:?}");
        }
        assert_eq!(
            Proxies::default().caller(ip("10.0.0.1"), ["203.0.113.5"].into_iter()),
            ip("10.0.0.1")
        );
    }
}
