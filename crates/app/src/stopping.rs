//! Whether the program was told to stop: whoever works in the background looks here between two pieces of work.

use tokio::sync::watch;

/// The word, shared by all.
#[derive(Debug, Clone)]
pub(crate) struct Stopping(watch::Sender<bool>);

impl Default for Stopping {
    fn default() -> Stopping {
        Stopping(watch::Sender::new(false))
    }
}

impl Stopping {
    /// Tells everybody.
    pub(crate) fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was said.
    pub(crate) fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is said.
    pub(crate) async fn begun(self) {
        let mut told = self.0.subscribe();
        // It cannot end with an error as long as we hold the sender.
        let _ = told.wait_for(|begun| *begun).await;
    }
}
