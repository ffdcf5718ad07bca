//! What a review found out about each row, in a file without a name: a row of any number is there in two short reads,
//! and however large the file is, memory holds none of it.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rollbook_engine::attempt::Shown;
use rollbook_engine::change::Change;
use rollbook_engine::contact::IdentifierKind;
use rollbook_engine::issue::{Issue, Note};
use serde::{Deserialize, Serialize};

use crate::imports::preview::{Judged, RowVerdict};

/// One row as it was judged.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Detail {
    /// Its number.
    pub(crate) row: u64,
    /// What would become of it.
    pub(crate) verdict: RowVerdict,
    /// For updates, what found the contact.
    pub(crate) matched_on: Option<IdentifierKind>,
    /// Its contact, if that is stored already.
    pub(crate) contact: Option<u64>,
    /// The first row of the file that is about the same person.
    pub(crate) same_row: Option<u64>,
    /// Who it is about.
    pub(crate) shown: Shown,
    /// Why something cannot be used.
    pub(crate) issues: Vec<Issue>,
    /// What else is worth knowing.
    pub(crate) notes: Vec<Note>,
    /// What it would change.
    pub(crate) changes: Vec<Change>,
    /// Its text as it was uploaded.
    pub(crate) payload: String,
}

/// [`Detail`] as it is written.
#[derive(Serialize)]
struct Line<'a> {
    row: u64,
    verdict: RowVerdict,
    matched_on: Option<IdentifierKind>,
    contact: Option<u64>,
    same_row: Option<u64>,
    shown: &'a Shown,
    issues: &'a [Issue],
    notes: &'a [Note],
    changes: &'a [Change],
    payload: &'a str,
}

/// Details while they are written, row after row.
pub(super) struct Writer {
    lines: BufWriter<File>,
    /// Where each line begins, eight bytes a row.
    places: BufWriter<File>,
    at: u64,
    buffer: Vec<u8>,
}

/// Details, written.
#[derive(Debug)]
pub(super) struct Details {
    lines: Mutex<File>,
    places: Mutex<File>,
}

impl Writer {
    /// Files in a folder, gone with their last handle.
    pub(super) fn new(folder: &Path) -> io::Result<Writer> {
        let file = || {
            Ok::<_, io::Error>(BufWriter::with_capacity(
                1 << 18,
                tempfile::tempfile_in(folder)?,
            ))
        };
        Ok(Writer {
            lines: file()?,
            places: file()?,
            at: 0,
            buffer: Vec::new(),
        })
    }

    /// Writes the next row down.
    pub(super) fn add(&mut self, judged: &Judged<'_>, verdict: RowVerdict) -> io::Result<()> {
        let step = judged.step;
        self.buffer.clear();
        serde_json::to_writer(
            &mut self.buffer,
            &Line {
                row: judged.delivery.row.unwrap_or_default(),
                verdict,
                matched_on: step.outcome().matched_on,
                contact: judged.contact.map(|id| id.0),
                same_row: judged.same_row,
                shown: &step.shown,
                issues: &step.issues,
                notes: &step.notes,
                changes: &step.changes,
                payload: &String::from_utf8_lossy(&judged.delivery.payload.bytes),
            },
        )?;
        self.places.write_all(&self.at.to_le_bytes())?;
        self.lines.write_all(&self.buffer)?;
        self.at += self.buffer.len() as u64;
        Ok(())
    }

    /// Ends writing.
    pub(super) fn finish(mut self) -> io::Result<Details> {
        self.places.write_all(&self.at.to_le_bytes())?;
        let file =
            |file: BufWriter<File>| file.into_inner().map_err(io::IntoInnerError::into_error);
        Ok(Details {
            lines: Mutex::new(file(self.lines)?),
            places: Mutex::new(file(self.places)?),
        })
    }
}

impl Details {
    /// One row, by its number.
    pub(super) fn row(&self, row: u64) -> io::Result<Detail> {
        let place = |at: u64| -> io::Result<u64> {
            let mut bytes = [0; 8];
            read_at(&self.places, at * 8, &mut bytes)?;
            Ok(u64::from_le_bytes(bytes))
        };
        let (begin, end) = (place(row.saturating_sub(1))?, place(row)?);
        let length = usize::try_from(end.saturating_sub(begin)).map_err(io::Error::other)?;
        let mut line = vec![0; length];
        read_at(&self.lines, begin, &mut line)?;
        Ok(serde_json::from_slice(&line)?)
    }
}

fn read_at(file: &Mutex<File>, at: u64, buffer: &mut [u8]) -> io::Result<()> {
    // Every reader seeks first, so one that broke off has spoilt nothing.
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(buffer)
}
