//! The imports that replay what was found.

use rollbook_store::imports::{Import, ImportId, ImportKind, ImportState, NewImport, Replaying};
use rollbook_store::sources::Source;
use rollbook_store::{StoreError, WorkspaceId};

use super::options::{ReplayOptions, StoredFilter};
use super::{Found, Wish};
use crate::app::App;
use crate::clock;
use crate::imports::options::ImportOptions;
use crate::imports::replay::ReplayError;

/// Makes and queues the imports that replay what was found, one a source.
pub(crate) async fn create(
    app: &App,
    workspace: WorkspaceId,
    wish: &Wish,
    found: &Found,
    created_by: &str,
) -> Result<Vec<Import>, ReplayError> {
    let sources = found.sources.iter();
    let sources: Vec<(&Source, u64)> = sources
        .filter(|found| found.records > 0)
        .filter_map(|found| Some((found.source.as_ref()?, found.records)))
        .collect();
    if sources.is_empty() {
        return Err(ReplayError::Nothing);
    }
    let parent = match wish.filter.import {
        Some(id) => app.store.import(workspace, id).await?,
        None => None,
    };
    let mut file = parent.as_ref().and_then(ImportOptions::of);
    if let (Some(file), Some(said)) = (&mut file, &wish.mapping) {
        let schema = app.schema(workspace).await?;
        file.mapping = file.mapping.with(said, &schema);
    }
    let mut replays = Vec::with_capacity(sources.len());
    for (source, records) in sources {
        let options = ReplayOptions {
            filter: StoredFilter::of(&wish.filter),
            up_to: found.up_to,
            again: wish.again,
            records,
            mapping: wish.mapping.clone(),
            file: file.clone(),
        };
        let options = serde_json::to_string(&options)
            .map_err(|error| StoreError::Damaged(error.to_string()))?;
        let parent = parent.as_ref().filter(|parent| parent.source == source.id);
        replays.push(NewImport {
            id: ImportId(uuid::Uuid::now_v7()),
            workspace,
            kind: ImportKind::Replay,
            parent: parent.map(|parent| parent.id),
            source: source.id,
            file_name: title(records, found.looked_at.is_none()),
            file_size: 0,
            file_hash: [0; 32],
            created_by: created_by.to_owned(),
            created_at: clock::now(),
            options: Some(options),
            state: ImportState::Queued,
        });
    }
    match app.store.create_replays(replays).await? {
        Replaying::Created(imports) => Ok(imports),
        Replaying::Busy(import) => Err(ReplayError::Busy(import)),
    }
}

/// What stands where imports of files have the name of their file.
fn title(records: u64, is_exact: bool) -> String {
    match records {
        1 => "Replay of 1 record".to_owned(),
        _ if is_exact => format!("Replay of {records} records"),
        _ => format!("Replay of up to {records} records"),
    }
}
