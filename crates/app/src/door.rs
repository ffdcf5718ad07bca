//! The door: how often somebody may knock, and what happens to those who guess.
//!
//! [`rate`] limits how many calls a key or a network makes, [`failures`] slows those down who guess passwords, and
//! [`network`] says which addresses are one caller. All of it is in memory and bounded: a restart forgets it, and
//! several processes that serve count each for itself.

pub(crate) mod failures;
pub(crate) mod network;
pub(crate) mod rate;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use rollbook_store::WorkspaceId;
use rollbook_store::sources::SourceId;

use crate::access::hash_secret;
use crate::config::Config;
use crate::door::failures::Failures;
use crate::door::network::Network;
use crate::door::rate::{Buckets, Rate};

/// How many links for a new password are mailed to one address.
const RESETS: Rate = Rate::per_hour(5);

/// How many webhook deliveries with a wrong signature a network may send before it is told to wait.
const FORGERIES: Rate = Rate::per_minute(30);

/// What is counted at the door.
#[derive(Debug)]
pub(crate) struct Door {
    api_rate: Rate,
    api_address_rate: Rate,
    sign_in_rate: Rate,
    keys: Buckets<(WorkspaceId, u32)>,
    networks: Buckets<Network>,
    sign_ins: Buckets<Network>,
    resets: Buckets<[u8; 32]>,
    webhooks: Buckets<(WorkspaceId, SourceId)>,
    forgeries: Buckets<Network>,
    /// Those who guess.
    pub(crate) failures: Failures,
}

/// Too many: how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

impl Wait {
    /// Whole seconds, at least one.
    pub(crate) fn seconds(self) -> u64 {
        self.0
            .as_millis()
            .div_ceil(1000)
            .max(1)
            .try_into()
            .unwrap_or(u64::MAX)
    }
}

impl Door {
    /// A door with nobody at it.
    pub(crate) fn new(config: &Config) -> Door {
        Door {
            api_rate: config.api_rate,
            api_address_rate: config.api_address_rate,
            sign_in_rate: config.sign_in_rate,
            keys: Buckets::default(),
            networks: Buckets::default(),
            sign_ins: Buckets::default(),
            resets: Buckets::default(),
            webhooks: Buckets::default(),
            forgeries: Buckets::default(),
            failures: Failures::default(),
        }
    }

    /// A call of the API from an address, before anything is looked up.
    pub(crate) fn call(&self, ip: Option<IpAddr>) -> Result<(), Wait> {
        take(&self.networks, ip, self.api_address_rate)
    }

    /// A call with a key.
    pub(crate) fn key(&self, workspace: WorkspaceId, key: u32) -> Result<(), Wait> {
        self.keys
            .take((workspace, key), self.api_rate, Instant::now())
    }

    /// A delivery of a source's webhook whose signature was right: whoever cannot sign uses up nothing of this.
    pub(crate) fn webhook(&self, workspace: WorkspaceId, source: SourceId) -> Result<(), Wait> {
        self.webhooks
            .take((workspace, source), self.api_rate, Instant::now())
    }

    /// A delivery of a webhook whose signature was wrong. Nobody who signs has to wait because of it: senders of many
    /// share their networks.
    pub(crate) fn forgery(&self, ip: Option<IpAddr>) -> Result<(), Wait> {
        take(&self.forgeries, ip, FORGERIES)
    }

    /// How many deliveries of a webhook may come in a minute; none if there is no limit.
    pub(crate) fn webhooks_per_minute(&self) -> Option<u64> {
        self.api_rate.in_a_minute()
    }

    /// A form that signs somebody in, or would.
    pub(crate) fn sign_in(&self, ip: Option<IpAddr>) -> Result<(), Wait> {
        take(&self.sign_ins, ip, self.sign_in_rate)
    }

    /// Whether one more link for a new password may be mailed to an address, whoever asks for it: nobody shall fill
    /// somebody's mailbox. The last link that was mailed goes on working.
    pub(crate) fn reset(&self, email: &str) -> Result<(), Wait> {
        self.resets.take(hash_secret(email), RESETS, Instant::now())
    }
}

fn take(buckets: &Buckets<Network>, ip: Option<IpAddr>, rate: Rate) -> Result<(), Wait> {
    match ip.map(Network::of) {
        Some(network) => buckets.take(network, rate, Instant::now()),
        None => Ok(()),
    }
}
