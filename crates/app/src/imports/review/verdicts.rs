//! What a review said of each row, in a few bytes, for the run to be compared with.
//!
//! A row is one number, its contact times eight plus its verdict, written seven bits a byte, the lowest first.

use rollbook_engine::contact::ContactId;
use rollbook_engine::plan::{Expected, ExpectedVerdict, Step};
use rollbook_store::StoreError;
use rollbook_store::imports::{Import, ReviewedRows};

use crate::app::App;

/// Rows that are kept together.
const TOGETHER: u64 = 10_000;

/// Adds what was said of the next row, from the first on.
pub(super) fn add(all: &mut Vec<ReviewedRows>, row: u64, step: &Step, contact: Option<ContactId>) {
    if row % TOGETHER == 1 || all.is_empty() {
        all.push(ReviewedRows {
            first: row,
            verdicts: Vec::new(),
        });
    }
    let verdict = match ExpectedVerdict::from(&step.verdict) {
        ExpectedVerdict::Created => 0,
        ExpectedVerdict::Updated => 1,
        ExpectedVerdict::Unchanged => 2,
        ExpectedVerdict::Failed => 3,
    };
    let contact = contact.map_or(0, |contact| contact.0);
    if let Some(rows) = all.last_mut() {
        let mut number = contact << 3 | verdict;
        while number > 0x7f {
            rows.verdicts.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        rows.verdicts.push((number & 0x7f) as u8);
    }
}

/// Reads rows that were kept together; none of them if they are damaged.
fn read(rows: &ReviewedRows) -> Vec<Expected> {
    let mut all = Vec::new();
    let (mut number, mut shift) = (0_u64, 0);
    for byte in &rows.verdicts {
        number |= u64::from(byte & 0x7f)
            .checked_shl(shift)
            .unwrap_or_default();
        shift += 7;
        if byte & 0x80 != 0 {
            continue;
        }
        let verdict = match number & 7 {
            0 => ExpectedVerdict::Created,
            1 => ExpectedVerdict::Updated,
            2 => ExpectedVerdict::Unchanged,
            3 => ExpectedVerdict::Failed,
            _ => return Vec::new(),
        };
        let contact = number >> 3;
        all.push(Expected {
            verdict,
            contact: (contact > 0).then_some(ContactId(contact)),
        });
        (number, shift) = (0, 0);
    }
    all
}

/// What the review said of the rows of a run.
pub(in crate::imports) struct Reviewed<'a> {
    app: &'a App,
    import: &'a Import,
    /// The first row at hand, and what was said of it and those behind it.
    first: u64,
    rows: Vec<Expected>,
    /// Nothing is known of any further row.
    over: bool,
}

impl<'a> Reviewed<'a> {
    /// Of an import that is about to run.
    pub(in crate::imports) fn of(app: &'a App, import: &'a Import) -> Reviewed<'a> {
        Reviewed {
            app,
            import,
            first: 0,
            rows: Vec::new(),
            over: false,
        }
    }

    /// What was said of so many rows from one on; nothing if that is not known of all of them.
    pub(in crate::imports) async fn take(
        &mut self,
        first: u64,
        count: usize,
    ) -> Result<Vec<Expected>, StoreError> {
        let mut taken = Vec::new();
        while !self.over && taken.len() < count {
            let row = first + taken.len() as u64;
            let place = row
                .checked_sub(self.first)
                .and_then(|place| usize::try_from(place).ok());
            let found = place.and_then(|place| self.rows.get(place));
            match found {
                Some(expected) => taken.push(*expected),
                None => self.load(row).await?,
            }
        }
        if self.over {
            taken.clear();
        }
        Ok(taken)
    }

    async fn load(&mut self, row: u64) -> Result<(), StoreError> {
        let (workspace, id) = (self.import.workspace, self.import.id);
        let found = self.app.store.reviewed_rows(workspace, id, row).await?;
        self.over = true;
        if let Some(found) = found {
            self.rows = read(&found);
            self.first = found.first;
            self.over = row - self.first >= self.rows.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rollbook_engine::attempt::Shown;
    use rollbook_engine::contact::IdentifierKind;
    use rollbook_engine::plan::Verdict;

    use super::*;

    #[test]
    fn what_was_said_is_read_as_it_was_written() {
        let contacts = [0, 1, 15, 16, 1 << 20, (1 << 40) - 1];
        let mut all = Vec::new();
        let mut expected = Vec::new();
        for (row, contact) in (1..).zip(contacts) {
            let contact = (contact > 0).then_some(ContactId(contact));
            let verdict = match contact {
                Some(contact) => Verdict::Keep {
                    contact,
                    matched_on: IdentifierKind::Email,
                },
                None => Verdict::Reject,
            };
            expected.push(Expected {
                verdict: ExpectedVerdict::from(&verdict),
                contact,
            });
            let step = Step {
                verdict,
                issues: Vec::new(),
                notes: Vec::new(),
                changes: Vec::new(),
                shown: Shown::default(),
            };
            add(&mut all, row, &step, contact);
        }
        assert_eq!(all.len(), 1);
        assert_eq!(read(&all[0]), expected);
        all[0].verdicts.push(4);
        assert_eq!(read(&all[0]), []);
    }
}
