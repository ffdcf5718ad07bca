//! What every store promises: each test runs on every backend.
#![expect(
    clippy::unwrap_used,
    reason = "all of this is tests, and the lint sees only functions marked as such"
)]

mod accounts;
mod audit;
mod commit;
mod contacts;
mod corrections;
mod edits;
mod erasures;
mod harness;
mod idempotency;
mod imports;
mod invitations;
mod large;
mod model;
mod opening;
mod outbox;
mod profiles;
mod replays;
mod retention;
mod sharing;
mod sources;
mod undo;
mod webhooks;
mod workspaces;
