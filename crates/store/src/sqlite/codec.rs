//! Bytes of the log: variable-length numbers, texts, and compressed, checked blobs.
//!
//! Reading never panics and never trusts a length: whatever is wrong becomes [`Damage`].

use std::borrow::Cow;

use rollbook_engine::change::Change;
use rollbook_engine::contact::Value;
use rollbook_engine::issue::{Issue, Note};
use xxhash_rust::xxh3::xxh3_64;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{self, CCtx, CParameter, DCtx};

use crate::StoreError;

/// The version of all formats below; the first byte of every blob.
const FORMAT: u8 = 1;

/// The version of blobs that are packed behind others ([`Packer::pack_behind`]).
const FORMAT_BEHIND: u8 = 2;

/// The size of the table in which repeated texts are looked for, as a power of two.
const HASH_LOG: u32 = 15;

/// No blob unpacks to more than SQLite could hold.
const MAX_UNPACKED: usize = 1 << 30;

/// What is wrong with stored bytes. Who reads them knows which block they are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damage(pub(super) &'static str);

pub(super) type Decoded<T> = Result<T, Damage>;

/// Writes numbers and texts one after the other.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    /// Seven bits a byte, the lowest first.
    #[inline]
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push((number & 0x7f) as u8);
    }

    /// The way from one number to the next, short for small steps in either direction.
    pub(super) fn step(&mut self, from: u64, to: u64) {
        let step = to.wrapping_sub(from);
        // Zigzag: 0, -1, 1, -2 … become 0, 1, 2, 3 …
        let sign = if step >> 63 == 1 { u64::MAX } else { 0 };
        self.number((step << 1) ^ sign);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// A number that may be missing: 0 if it is.
    pub(super) fn optional(&mut self, number: Option<u64>) {
        self.number(number.map_or(0, |number| number.saturating_add(1)));
    }

    pub(super) fn optional_text(&mut self, text: Option<&str>) {
        self.optional(text.map(|text| text.len() as u64));
        self.0
            .extend_from_slice(text.unwrap_or_default().as_bytes());
    }

    fn value(&mut self, value: Option<&Value>) {
        match value {
            None => self.number(0),
            Some(Value::One(text)) => {
                self.number(1);
                self.text(text);
            }
            Some(Value::Many(texts)) => {
                self.number(texts.len() as u64 + 2);
                for text in texts {
                    self.text(text);
                }
            }
        }
    }

    pub(super) fn issues(&mut self, issues: &[Issue]) {
        self.number(issues.len() as u64);
        for issue in issues {
            self.optional_text(issue.field.as_deref());
            self.text(&issue.code);
            self.text(&issue.message);
            self.optional_text(issue.value.as_deref());
        }
    }

    pub(super) fn notes(&mut self, notes: &[Note]) {
        self.number(notes.len() as u64);
        for note in notes {
            self.optional_text(note.field.as_deref());
            self.text(&note.code);
            self.text(&note.message);
        }
    }

    pub(super) fn changes(&mut self, changes: &[Change]) {
        self.number(changes.len() as u64);
        for change in changes {
            self.text(&change.field);
            self.value(change.before.as_ref());
            self.value(change.after.as_ref());
        }
    }
}

/// Reads what [`Writer`] wrote.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    #[inline]
    pub(super) fn number(&mut self) -> Decoded<u64> {
        match self.0 {
            // Most are small.
            [byte, rest @ ..] if *byte < 0x80 => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> Decoded<u64> {
        let mut number = 0_u64;
        for (position, byte) in self.0.iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * position);
            if byte & 0x80 == 0 {
                self.0 = &self.0[position + 1..];
                return Ok(number);
            }
        }
        Err(Damage("a number does not end"))
    }

    /// The number that a step leads to.
    pub(super) fn step(&mut self, from: u64) -> Decoded<u64> {
        let zigzag = self.number()?;
        let sign = if zigzag & 1 == 1 { u64::MAX } else { 0 };
        Ok(from.wrapping_add((zigzag >> 1) ^ sign))
    }

    pub(super) fn take(&mut self, length: u64) -> Decoded<&'a [u8]> {
        let split = usize::try_from(length)
            .ok()
            .and_then(|length| self.0.split_at_checked(length));
        let (bytes, rest) = split.ok_or(Damage("a value is cut off"))?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn bytes(&mut self) -> Decoded<&'a [u8]> {
        let length = self.number()?;
        self.take(length)
    }

    pub(super) fn text<T: From<&'a str>>(&mut self) -> Decoded<T> {
        Ok(T::from(text(self.bytes()?)?))
    }

    pub(super) fn optional(&mut self) -> Decoded<Option<u64>> {
        Ok(self.number()?.checked_sub(1))
    }

    pub(super) fn optional_text<T: From<&'a str>>(&mut self) -> Decoded<Option<T>> {
        match self.optional()? {
            Some(length) => Ok(Some(T::from(text(self.take(length)?)?))),
            None => Ok(None),
        }
    }

    fn value(&mut self) -> Decoded<Option<Value>> {
        match self.number()? {
            0 => Ok(None),
            1 => Ok(Some(Value::One(self.text()?))),
            texts => Ok(Some(Value::Many(self.list(texts - 2, Reader::text)?))),
        }
    }

    fn list<T, L: FromIterator<T>>(
        &mut self,
        length: u64,
        item: fn(&mut Self) -> Decoded<T>,
    ) -> Decoded<L> {
        // A damaged length runs out of bytes before it can fill the memory.
        (0..length).map(|_| item(self)).collect()
    }

    pub(super) fn issues(&mut self) -> Decoded<Vec<Issue>> {
        let length = self.number()?;
        self.list(length, |reader| {
            Ok(Issue {
                field: reader.optional_text()?,
                code: owned(reader.text()?),
                message: reader.text()?,
                value: reader.optional_text()?,
            })
        })
    }

    pub(super) fn notes(&mut self) -> Decoded<Vec<Note>> {
        let length = self.number()?;
        self.list(length, |reader| {
            Ok(Note {
                field: reader.optional_text()?,
                code: owned(reader.text()?),
                message: owned(reader.text()?),
            })
        })
    }

    pub(super) fn changes(&mut self) -> Decoded<Vec<Change>> {
        let length = self.number()?;
        self.list(length, |reader| {
            Ok(Change {
                field: reader.text()?,
                before: reader.value()?,
                after: reader.value()?,
            })
        })
    }
}

fn owned(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.to_owned())
}

/// Stored bytes as the text that they must be.
pub(super) fn text(bytes: &[u8]) -> Decoded<&str> {
    std::str::from_utf8(bytes).map_err(|_| Damage("a text is not UTF-8"))
}

/// Level 3 saves 5 % of the bytes for 10 % more time, and the log is written more than it is read.
const LEVEL: i32 = 1;

const PARAMETERS: [CParameter; 2] = [
    CParameter::ChecksumFlag(true),
    // A table twice as large as the level's own finds more in a block, and so takes fewer steps.
    CParameter::HashLog(HASH_LOG),
];

/// Compresses blobs: version, length, zstd frame with checksum. Nothing stays nothing.
pub(super) struct Packer(Compressor<'static>);

impl Packer {
    pub(super) fn new() -> Result<Packer, StoreError> {
        let mut compressor = Compressor::new(LEVEL).map_err(|error| cannot_pack(&error))?;
        for parameter in PARAMETERS {
            let set = compressor.set_parameter(parameter);
            set.map_err(|error| cannot_pack(&error))?;
        }
        Ok(Packer(compressor))
    }

    pub(super) fn pack(&mut self, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let frame = self
            .0
            .compress(bytes)
            .map_err(|error| cannot_pack(&error))?;
        Ok(framed(FORMAT, bytes, &frame))
    }

    /// Packs bytes that repeat much of what others say, which has to be at hand to unpack them.
    pub(super) fn pack_behind(before: &[u8], bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut context = CCtx::create();
        let mut frame = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
        let mut compress = || {
            context.set_parameter(CParameter::CompressionLevel(LEVEL))?;
            for parameter in PARAMETERS {
                context.set_parameter(parameter)?;
            }
            context.ref_prefix(before)?;
            context.compress2(&mut frame, bytes)
        };
        compress().map_err(|code| {
            StoreError::Damaged(format!(
                "a block of the log cannot be compressed: {}",
                zstd_safe::get_error_name(code)
            ))
        })?;
        Ok(framed(FORMAT_BEHIND, bytes, &frame))
    }
}

fn framed(format: u8, bytes: &[u8], frame: &[u8]) -> Vec<u8> {
    let mut writer = Writer(Vec::with_capacity(frame.len() + 6));
    writer.0.push(format);
    writer.number(bytes.len() as u64);
    writer.0.extend_from_slice(frame);
    writer.0
}

fn cannot_pack(error: &std::io::Error) -> StoreError {
    StoreError::Damaged(format!("a block of the log cannot be compressed: {error}"))
}

/// Reads what [`Packer`] wrote.
pub(super) struct Unpacker(Decompressor<'static>);

impl Unpacker {
    pub(super) fn new() -> Decoded<Unpacker> {
        match Decompressor::new() {
            Ok(decompressor) => Ok(Unpacker(decompressor)),
            Err(_) => Err(Damage("there is no memory to decompress it")),
        }
    }

    pub(super) fn unpack(&mut self, blob: &[u8]) -> Decoded<Vec<u8>> {
        if blob.is_empty() {
            return Ok(Vec::new());
        }
        let (length, frame) = unframed(versioned(blob)?)?;
        match self.0.decompress(frame, length) {
            Ok(bytes) if bytes.len() == length => Ok(bytes),
            _ => Err(Damage("it cannot be decompressed")),
        }
    }

    /// Reads what [`Packer::pack_behind`] wrote; and what [`Packer::pack`] did, as blocks of before that have it.
    pub(super) fn unpack_behind(
        &mut self,
        before: impl FnOnce(&mut Unpacker) -> Decoded<Vec<u8>>,
        blob: &[u8],
    ) -> Decoded<Vec<u8>> {
        let Some((&FORMAT_BEHIND, rest)) = blob.split_first() else {
            return self.unpack(blob);
        };
        let before = before(self)?;
        let (length, frame) = unframed(rest)?;
        let mut context = DCtx::create();
        let mut bytes = Vec::with_capacity(length);
        let decompressed = context
            .ref_prefix(&before)
            .and_then(|_| context.decompress(&mut bytes, frame));
        match decompressed {
            Ok(_) if bytes.len() == length => Ok(bytes),
            _ => Err(Damage("it cannot be decompressed")),
        }
    }
}

/// The length of what a frame holds, and the frame.
fn unframed(bytes: &[u8]) -> Decoded<(usize, &[u8])> {
    let mut reader = Reader(bytes);
    let length = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
    if length > MAX_UNPACKED {
        return Err(Damage("a length is impossible"));
    }
    Ok((length, reader.0))
}

/// Marks incompressible bytes with version and checksum.
pub(super) fn seal(bytes: &[u8]) -> Vec<u8> {
    let mut blob = Vec::with_capacity(bytes.len() + 9);
    blob.push(FORMAT);
    blob.extend_from_slice(&xxh3_64(bytes).to_le_bytes());
    blob.extend_from_slice(bytes);
    blob
}

/// Reads what [`seal`] wrote.
pub(super) fn unseal(blob: &[u8]) -> Decoded<&[u8]> {
    match versioned(blob)?.split_first_chunk::<8>() {
        Some((sum, bytes)) if *sum == xxh3_64(bytes).to_le_bytes() => Ok(bytes),
        _ => Err(Damage("a checksum is wrong")),
    }
}

fn versioned(blob: &[u8]) -> Decoded<&[u8]> {
    match blob.split_first() {
        Some((&FORMAT, rest)) => Ok(rest),
        Some(_) => Err(Damage(
            "it has a format that this version does not know; install the newer rollbook",
        )),
        None => Err(Damage("it is empty")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(before: &[u8], blob: &[u8]) -> Decoded<Vec<u8>> {
        Unpacker::new()
            .unwrap()
            .unpack_behind(|_| Ok(before.to_vec()), blob)
    }

    #[test]
    fn what_repeats_what_stands_before_it_takes_little_room() {
        let keys: Vec<u8> = (0..4_000_u32)
            .flat_map(|number| number.wrapping_mul(0x9e37_79b9).to_le_bytes())
            .collect();
        let mut payload = keys.clone();
        payload.extend_from_slice(b"and some more");
        let packed = Packer::pack_behind(&keys, &payload).unwrap();
        let alone = Packer::new().unwrap().pack(&payload).unwrap();
        assert!(packed.len() * 10 < alone.len(), "{}", packed.len());
        assert_eq!(behind(&keys, &packed), Ok(payload.clone()));
        // Blocks of before were packed alone.
        assert_eq!(behind(&keys, &alone), Ok(payload));
    }

    #[test]
    fn what_is_packed_behind_something_else_is_damaged() {
        let packed = Packer::pack_behind(b"Ada Lovelace", b"name: Ada Lovelace").unwrap();
        assert!(behind(b"Bob Lovelace", &packed).is_err());
        assert!(behind(b"", &packed).is_err());
        for length in 0..packed.len() {
            let cut = behind(b"Ada Lovelace", &packed[..length]);
            assert_eq!(cut.is_ok(), length == 0, "nothing stays nothing");
        }
        assert!(Unpacker::new().unwrap().unpack(&packed).is_err());
        assert_eq!(behind(b"", b""), Ok(Vec::new()));
    }

    #[test]
    fn nothing_packed_behind_something_is_nothing() {
        let packed = Packer::pack_behind(b"Ada", b"").unwrap();
        assert_eq!(behind(b"Ada", &packed), Ok(Vec::new()));
    }
}
