//! Bodies of requests, which have to come at some pace.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

/// How long a sender may be silent in the middle of a body.
const SILENCE: Duration = Duration::from_secs(30);

/// How long we wait for a sender in all, whatever they send.
const GRACE: Duration = Duration::from_mins(1);

/// What we wait longer for: a second for so many bytes.
const BYTES_A_SECOND: u64 = 1024;

/// The sender of a body is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooSlow {
    /// Nothing came.
    #[error("nothing came for {} seconds in the middle of the body; send it again", SILENCE.as_secs())]
    Silent,
    /// Something comes again and again, but little.
    #[error(
        "the body comes more slowly than {BYTES_A_SECOND} bytes a second; send it again over a better line"
    )]
    Trickle,
}

/// A body that ends in an error when its sender is too slow. Only the time in which we wait for the sender counts, not
/// the time in which the sender waits for us.
#[derive(Debug)]
pub(super) struct Patient {
    body: Incoming,
    received: u64,
    waited: Duration,
    /// Since when we wait, and until when; none while we do not.
    waiting: Option<Waiting>,
}

/// A wait for the sender.
#[derive(Debug)]
struct Waiting {
    since: Instant,
    until: Pin<Box<Sleep>>,
    over: TooSlow,
}

impl Patient {
    pub(super) fn new(body: Incoming) -> Patient {
        Patient {
            body,
            received: 0,
            waited: Duration::ZERO,
            waiting: None,
        }
    }
}

/// How long we wait now, and what it means if nothing comes until then.
fn patience(received: u64, waited: Duration) -> (Duration, TooSlow) {
    let in_all = GRACE + Duration::from_secs(received / BYTES_A_SECOND);
    let left = in_all.saturating_sub(waited);
    if left < SILENCE {
        (left, TooSlow::Trickle)
    } else {
        (SILENCE, TooSlow::Silent)
    }
}

impl TooSlow {
    /// The cause of an error, if it is this.
    pub(crate) fn of(error: &(dyn std::error::Error + 'static)) -> Option<TooSlow> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(slow) = error.downcast_ref() {
                return Some(*slow);
            }
            cause = error.source();
        }
        None
    }
}

impl Body for Patient {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                if let Some(waiting) = self.waiting.take() {
                    self.waited += waiting.since.elapsed();
                }
                if let Some(Ok(frame)) = &frame {
                    let bytes = frame.data_ref().map_or(0, Bytes::len);
                    self.received = self.received.saturating_add(bytes as u64);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let (received, waited) = (self.received, self.waited);
                let waiting = self.waiting.get_or_insert_with(|| {
                    let (patience, over) = patience(received, waited);
                    Waiting {
                        since: Instant::now(),
                        until: Box::pin(tokio::time::sleep(patience)),
                        over,
                    }
                });
                let over = waiting.over;
                waiting
                    .until
                    .as_mut()
                    .poll(context)
                    .map(|()| Some(Err(over.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_may_be_silent_for_a_while_and_slow_for_a_minute() {
        let seconds = Duration::from_secs;
        for (received, waited, expected) in [
            (0, 0, (30, TooSlow::Silent)),
            (0, 29, (30, TooSlow::Silent)),
            (0, 50, (10, TooSlow::Trickle)),
            (0, 60, (0, TooSlow::Trickle)),
            (100, 60, (0, TooSlow::Trickle)),
            (20 * 1024, 60, (20, TooSlow::Trickle)),
            (1 << 30, 60, (30, TooSlow::Silent)),
        ] {
            let (patience, over) = patience(received, seconds(waited));
            assert_eq!((patience.as_secs(), over), expected, "{received} {waited}");
        }
    }

    #[test]
    fn a_slow_sender_is_found_among_causes() {
        let error = axum::Error::new(TooSlow::Silent);
        assert_eq!(TooSlow::of(&error), Some(TooSlow::Silent));
        assert_eq!(TooSlow::of(&axum::Error::new("no")), None);
    }
}
