//! Running imports of the kind replay.

use rollbook_store::commit::{Batch, Delivery, ImportStep, Payload};
use rollbook_store::imports::{Import, Lease};
use rollbook_store::log::{Attempt, LogFilter, Paging};
use rollbook_store::sources::Source;
use rollbook_store::{StoreError, WorkspaceId};

use super::{Found, ReplayOptions, Wish, obstacle, replayed, until};
use crate::app::App;
use crate::clock;
use crate::imports::replay::origin::Readers;
use crate::imports::replay::{ReplayError, policy};
use crate::imports::run::{BATCH_BYTES, Ended, Heartbeat, batch_size, commit, source_of};

/// Attempts that are read with their payloads at a time.
const READ: u32 = if cfg!(test) { 2 } else { 500 };

/// Runs an import of the kind replay from where it stands.
pub(in crate::imports) async fn run(
    app: &App,
    import: &Import,
    lease: Lease,
    alive: &Heartbeat,
) -> Result<Ended, ReplayError> {
    let Some(source) = source_of(app, import).await? else {
        return Ok(Ended::Failed("its source is gone".to_owned()));
    };
    let options = import.options.as_deref();
    let Some(options) = options.and_then(|json| serde_json::from_str::<ReplayOptions>(json).ok())
    else {
        return Ok(Ended::Failed(
            "what it replays was never stored; replay from the log again".to_owned(),
        ));
    };
    app.store
        .set_expected_records(import.workspace, import.id, lease, options.records)
        .await?;
    let mut records = Records {
        app,
        workspace: import.workspace,
        filter: LogFilter {
            source: Some(source.id),
            ..options.filter.read()
        },
        again: options.again,
        up_to: options.up_to,
        after: position(app, import).await?,
        ended: false,
        readers: Readers::new(app, &source, options.mapping.as_ref()),
    };
    let mut cursor = import.cursor;
    loop {
        let deliveries = records.next_batch().await?;
        if deliveries.is_empty() {
            // There may have been fewer than were counted.
            let records = cursor;
            app.store
                .set_expected_records(import.workspace, import.id, lease, records)
                .await?;
            return Ok(Ended::AtTheEnd);
        }
        if let Some(ended) = alive.told_to_end() {
            return Ok(ended);
        }
        let batch = Batch {
            workspace: import.workspace,
            source: source.id,
            policy: policy(&source),
            schema: app.schema(import.workspace).await?,
            received_at: clock::now(),
            deliveries,
        };
        let step = ImportStep {
            import: import.id,
            lease,
            cursor,
            expected: Vec::new(),
        };
        cursor += commit(app, import.kind, batch, step).await?;
    }
}

/// The number of the attempt that an import repeated last; 0 if none.
async fn position(app: &App, import: &Import) -> Result<u64, StoreError> {
    let own = LogFilter {
        import: Some(import.id),
        ..LogFilter::default()
    };
    let page = app
        .store
        .page(import.workspace, own, Paging::Newest, 1)
        .await?;
    let last = page.attempts.first().and_then(|attempt| attempt.replay_of);
    Ok(last.map_or(0, rollbook_store::log::AttemptId::number))
}

/// The records of one source that a wish comes to, in order of the log.
pub(crate) struct Records<'a> {
    app: &'a App,
    workspace: WorkspaceId,
    filter: LogFilter,
    again: bool,
    up_to: u64,
    /// The number of the attempt that was read last.
    after: u64,
    ended: bool,
    readers: Readers<'a>,
}

impl<'a> Records<'a> {
    /// From the first record.
    pub(crate) fn of(
        app: &'a App,
        wish: &'a Wish,
        found: &Found,
        source: &'a Source,
    ) -> Records<'a> {
        Records {
            app,
            workspace: source.workspace,
            filter: LogFilter {
                source: Some(source.id),
                ..wish.filter.clone()
            },
            again: wish.again,
            up_to: found.up_to,
            after: 0,
            ended: false,
            readers: Readers::new(app, source, wish.mapping.as_ref()),
        }
    }

    /// Enough records for a batch; none at the end.
    pub(crate) async fn next_batch(&mut self) -> Result<Vec<Delivery>, ReplayError> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let most = if cfg!(test) { 4 } else { batch_size(self.app) };
        while !self.ended && batch.len() < most && bytes < BATCH_BYTES {
            let page = self
                .app
                .store
                .page_with_payloads(
                    self.workspace,
                    self.filter.clone(),
                    Paging::After(self.after),
                    READ,
                )
                .await?;
            let page = until(page, self.up_to, |(attempt, _): &(Attempt, Payload)| {
                attempt
            });
            self.ended = page.len() < READ as usize;
            let ends = [page.first(), page.last()].map(|end| end.map(|(attempt, _)| attempt));
            let replayed = replayed(self.app, self.workspace, self.again, ends[0], ends[1]).await?;
            for (attempt, payload) in page {
                self.after = attempt.id.number();
                if obstacle(&mut self.readers, &attempt, &replayed)
                    .await?
                    .is_some()
                {
                    continue;
                }
                let (reader, edit) = self.readers.of(&attempt, &payload).await?;
                bytes += payload.bytes.len();
                batch.push(reader.delivery(&attempt, payload, edit.as_ref()));
            }
        }
        Ok(batch)
    }
}
