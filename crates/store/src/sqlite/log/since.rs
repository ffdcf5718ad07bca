//! What undo asks the log: whom did an import write, and who wrote them since?

use rollbook_engine::attempt::Action;
use rollbook_engine::change::Change;
use rollbook_engine::contact::ContactId;
use rusqlite::Connection;

use super::block::{Column, OUTCOMES, Stored, outcome_of_code, small};
use super::blocks::damaged;
use super::condition::Condition;
use super::scan::{Rows, Walk, walk};
use super::tail::{self, Order};
use super::{OPENED, Picked, open};
use crate::imports::ImportId;
use crate::log::{AttemptId, LogFilter};
use crate::sources::SourceId;
use crate::{StoreError, WorkspaceId};

/// What an import wrote.
#[derive(Default)]
pub(in crate::sqlite) struct Written {
    /// The contacts, and whether it created them: once for each attempt.
    pub(in crate::sqlite) contacts: Vec<(ContactId, bool)>,
    /// The number of its first attempt that wrote.
    pub(in crate::sqlite) first: Option<u64>,
}

/// What an import wrote.
pub(in crate::sqlite) fn written(
    conn: &Connection,
    workspace: WorkspaceId,
    import: ImportId,
) -> Result<Written, StoreError> {
    let filter = LogFilter {
        import: Some(import),
        ..LogFilter::default()
    };
    let mut written = Written::default();
    let Some(mut condition) = Condition::new(conn, workspace, &filter)? else {
        return Ok(written);
    };
    let created = with_action(Action::Created);
    condition.outcomes = created | with_action(Action::Updated);
    let all = Walk {
        workspace,
        condition: &condition,
        numbers: (0, u64::MAX),
        order: Order::OldestFirst,
    };
    let mut take = |number: u64, code: u64, contact: u64| {
        written.first.get_or_insert(number);
        if let Some(contact) = contact.checked_sub(1) {
            written
                .contacts
                .push((ContactId(contact), created >> code & 1 == 1));
        }
    };
    walk(
        conn,
        &all,
        |_| true,
        |_, found| {
            if let Rows::Some(rows, meta) = &found.rows {
                let column = |column| {
                    let values = meta.column(column);
                    values.map_err(|damage| damaged(&found.header, damage))
                };
                let (numbers, codes) = (column(Column::Number)?, column(Column::Outcome)?);
                let contacts = column(Column::Contact)?;
                for row in rows {
                    take(numbers[*row], codes[*row], contacts[*row]);
                }
            }
            Ok(true)
        },
    )?;
    tail::each(
        conn,
        workspace,
        all.numbers,
        all.order,
        |stored, payload| {
            if condition.holds(&stored, &payload.bytes) {
                let contact = super::block::or_zero(stored.contact.map(|contact| contact.0));
                take(
                    stored.number,
                    super::block::outcome_code(stored.outcome),
                    contact,
                );
            }
            true
        },
    )?;
    Ok(written)
}

/// An attempt that changed a contact.
pub(in crate::sqlite) struct Changed<'a> {
    pub(in crate::sqlite) number: u64,
    pub(in crate::sqlite) source: SourceId,
    /// The `import.no`.
    pub(in crate::sqlite) import: Option<u32>,
    pub(in crate::sqlite) contact: ContactId,
    pub(in crate::sqlite) changes: &'a [Change],
    pub(in crate::sqlite) replay_of: Option<AttemptId>,
}

/// Calls a function with the updates after a number, in order, of imports and contacts that are wanted. Blocks without
/// any are not opened further than their META.
pub(in crate::sqlite) fn changes_after(
    conn: &Connection,
    workspace: WorkspaceId,
    number: u64,
    wanted: impl Fn(Option<u32>, ContactId) -> bool,
    mut each: impl FnMut(Changed<'_>),
) -> Result<(), StoreError> {
    let Some(first) = number.checked_add(1) else {
        return Ok(());
    };
    let Some(mut condition) = Condition::new(conn, workspace, &LogFilter::default())? else {
        return Ok(());
    };
    condition.outcomes = with_action(Action::Updated);
    let later = Walk {
        workspace,
        condition: &condition,
        numbers: (first, u64::MAX),
        order: Order::OldestFirst,
    };
    let mut tell = |stored: &Stored| {
        if let Some(contact) = stored.contact {
            each(Changed {
                number: stored.number,
                source: stored.source,
                import: stored.import,
                contact,
                changes: &stored.detail.changes,
                replay_of: stored.detail.replay_of,
            });
        }
    };
    let mut waiting = Vec::new();
    walk(
        conn,
        &later,
        |_| true,
        |parts, found| {
            let Rows::Some(mut rows, meta) = found.rows else {
                return Ok(true);
            };
            let columns = meta
                .column(Column::Import)
                .and_then(|imports| Ok((imports, meta.column(Column::Contact)?)));
            let (imports, contacts) = columns.map_err(|damage| damaged(&found.header, damage))?;
            rows.retain(|row| {
                let import = imports[*row].checked_sub(1).map(small).transpose();
                let contact = contacts[*row].checked_sub(1).map(ContactId);
                match (import, contact) {
                    (Ok(import), Some(contact)) => wanted(import, contact),
                    _ => false,
                }
            });
            if !rows.is_empty() {
                waiting.push(Picked {
                    header: found.header,
                    meta,
                    rows,
                });
            }
            if waiting.len() == OPENED {
                let opened = open(parts, std::mem::take(&mut waiting), false)?;
                for (stored, _) in &opened {
                    tell(stored);
                }
            }
            Ok(true)
        },
    )?;
    let opened = open(&mut super::Parts::of(conn)?, waiting, false)?;
    for (stored, _) in &opened {
        tell(stored);
    }
    tail::each(
        conn,
        workspace,
        later.numbers,
        later.order,
        |stored, payload| {
            let is_wanted = |contact| wanted(stored.import, contact);
            if condition.holds(&stored, &payload.bytes) && stored.contact.is_some_and(is_wanted) {
                tell(&stored);
            }
            true
        },
    )
}

/// A bit for each outcome code with an action.
fn with_action(action: Action) -> u64 {
    (0..OUTCOMES)
        .filter(|code| outcome_of_code(*code).is_ok_and(|outcome| outcome.action == Some(action)))
        .fold(0, |bits, code| bits | 1 << code)
}
