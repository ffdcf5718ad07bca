//! ZIP and gzip around a file, and what a file is by its content.
//!
//! Nothing is believed that a container says about its sizes: bytes are counted as they are unpacked, and unpacking
//! ends where the limits do. What comes out lies in a file of ours without a name.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::csv::Encoding;
use crate::csv::encoding::{Text, settle};
use crate::file::{FileError, FileLimits};
use crate::input::{Input, SharedFile};

/// How many containers may lie in each other.
const DEPTH: usize = 3;

/// How much of a file is looked at to tell what it is.
const START: usize = 4096;

/// What a file is, once it is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Delimited text, and whatever is not known to be something else.
    Text,
    Xlsx,
    Xls,
    Ods,
    Vcard,
    Json,
}

/// A file out of its containers.
#[derive(Debug)]
pub(crate) struct Unpacked {
    pub(crate) input: Input,
    pub(crate) kind: Kind,
}

/// Takes a file out of the containers that it lies in. `name` only helps where content leaves a choice.
pub(crate) fn unpack(
    mut input: Input,
    name: &str,
    folder: &Path,
    limits: &FileLimits,
) -> Result<Unpacked, FileError> {
    let mut name = name.to_owned();
    for _ in 0..=DEPTH {
        let start = start_of(&mut input)?;
        if start.is_empty() {
            return Err(FileError::Empty);
        }
        if start.starts_with(b"\x1f\x8b") {
            name = name.strip_suffix(".gz").unwrap_or(&name).to_owned();
            input = Input::Shared(gunzip(input, folder, limits)?);
        } else if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
            let mut archive = open_zip(&mut input, limits)?;
            if let Some(kind) = office_kind(&mut archive)? {
                return Ok(Unpacked { input, kind });
            }
            let (inside, unpacked) = unzip(&mut archive, folder, limits)?;
            name = inside;
            input = Input::Shared(unpacked);
        } else {
            let kind = kind_of(&mut input, &start, &name)?;
            return Ok(Unpacked { input, kind });
        }
    }
    Err(FileError::TooMuch(format!(
        "lies in more than {DEPTH} containers; unpack it and take the file inside"
    )))
}

/// The first bytes of a file, which is left at its start.
fn start_of(input: &mut Input) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(START);
    input.seek(SeekFrom::Start(0))?;
    input.take(START as u64).read_to_end(&mut start)?;
    input.seek(SeekFrom::Start(0))?;
    Ok(start)
}

/// First bytes of files that are no list of people, what they are, and what to do about it.
const FOREIGN: [(&[u8], &str, &str); 12] = [
    (
        b"%PDF",
        "a PDF",
        "export the data as CSV or XLSX from the program that made it",
    ),
    (b"\x89PNG", "a picture", "choose a CSV, XLSX or vCard file"),
    (
        b"\xff\xd8\xff",
        "a picture",
        "choose a CSV, XLSX or vCard file",
    ),
    (b"GIF8", "a picture", "choose a CSV, XLSX or vCard file"),
    (
        b"SQLite format 3\0",
        "a database",
        "export the contacts as CSV",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "a 7-Zip archive",
        "unpack it and take the file inside",
    ),
    (
        b"Rar!",
        "a RAR archive",
        "unpack it and take the file inside",
    ),
    (
        b"BZh",
        "a bzip2 archive",
        "unpack it and take the file inside",
    ),
    (
        b"\xfd7zXZ\0",
        "an XZ archive",
        "unpack it and take the file inside",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "a Zstandard archive",
        "unpack it and take the file inside",
    ),
    (b"<?xml", "an XML file", "save it as CSV or XLSX"),
    (b"<!doctype html", "a web page", "save it as CSV or XLSX"),
];

/// Neither a container that we know nor text.
const NOT_TEXT: FileError = FileError::Foreign {
    what: "not a text file",
    todo: "choose a CSV, XLSX, ODS, vCard or JSON file",
};

/// Whether decoded bytes are no text: of random ones a twelfth are control characters, separators aside. One in a value
/// is the value's problem, and a few are no reason to refuse a file.
fn is_noise(text: &str) -> bool {
    const LEAST: usize = 24;
    let is_odd =
        |letter: &char| letter.is_control() && !matches!(letter, '\t'..='\r' | '\u{1a}'..='\u{1f}');
    let odd = text.chars().filter(is_odd).count();
    odd >= LEAST && odd * 100 > text.chars().count() * 6
}

/// What a file that is no container is. Refuses what is certainly none of ours.
fn kind_of(input: &mut Input, start: &[u8], name: &str) -> Result<Kind, FileError> {
    if start.starts_with(b"\xd0\xcf\x11\xe0") {
        return Ok(Kind::Xls);
    }
    refuse_foreign(start)?;
    // Text in UTF-16 has a zero in every other byte at most; programs and pictures have runs of them.
    let zeros = start
        .windows(3)
        .filter(|window| *window == [0, 0, 0])
        .count();
    if zeros > 8
        && !start.starts_with(&[0, 0, 0xfe, 0xff])
        && !start.starts_with(&[0xff, 0xfe, 0, 0])
    {
        return Err(NOT_TEXT);
    }
    // The beginning decides, so it is enough to decode that; a broken last character does no harm.
    let mut head = io::Cursor::new(start);
    let encoding = settle(&mut head, None).unwrap_or(Encoding::UTF_8);
    let mut text = Text::new(head, encoding);
    text.advance(0, START)?;
    input.seek(SeekFrom::Start(0))?;
    refuse_foreign(text.window().as_bytes())?;
    if is_noise(text.window()) {
        return Err(NOT_TEXT);
    }
    Ok(text_kind(text.window(), name))
}

fn refuse_foreign(start: &[u8]) -> Result<(), FileError> {
    let start = start.trim_ascii_start();
    let foreign = FOREIGN.iter().find(|(magic, _, _)| {
        start
            .get(..magic.len())
            .is_some_and(|own| own.eq_ignore_ascii_case(magic))
    });
    match foreign {
        Some((_, what, todo)) => Err(FileError::Foreign { what, todo }),
        None => Ok(()),
    }
}

fn text_kind(text: &str, name: &str) -> Kind {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let first_line = text.lines().next().unwrap_or_default().trim();
    if first_line.split_once(':').is_some_and(|(name, value)| {
        let name = name.rsplit('.').next().unwrap_or(name);
        name.trim().eq_ignore_ascii_case("BEGIN") && value.trim().eq_ignore_ascii_case("VCARD")
    }) {
        return Kind::Vcard;
    }
    let named_json = Path::new(name)
        .extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| {
            ["json", "ndjson", "jsonl"]
                .iter()
                .any(|known| extension.eq_ignore_ascii_case(known))
        });
    // A header may begin with a bracket, so the sign after it has to be JSON's as well.
    let after = |open: char| {
        text.strip_prefix(open)
            .map(|rest| rest.trim_start().chars().next())
    };
    let is_json = match (after('['), after('{')) {
        (Some(next), _) => matches!(next, Some('{' | ']')) || named_json,
        (_, Some(next)) => matches!(next, Some('"' | '}')) || named_json,
        (None, None) => false,
    };
    if is_json { Kind::Json } else { Kind::Text }
}

/// Counts what is unpacked and ends it where it becomes too much.
pub(crate) struct Meter<'a> {
    limits: &'a FileLimits,
    packed: u64,
    unpacked: u64,
}

impl<'a> Meter<'a> {
    /// For something that has so many bytes packed.
    pub(crate) fn new(packed: u64, limits: &'a FileLimits) -> Meter<'a> {
        Meter {
            limits,
            packed,
            unpacked: 0,
        }
    }

    /// Counts more bytes.
    pub(crate) fn add(&mut self, bytes: usize) -> Result<(), FileError> {
        self.unpacked += bytes as u64;
        self.judge(self.unpacked)
    }

    /// Refuses what says itself that it is too much, before it is unpacked.
    pub(crate) fn expect(&self, said: u64) -> Result<(), FileError> {
        self.judge(self.unpacked.saturating_add(said))
    }

    fn judge(&self, unpacked: u64) -> Result<(), FileError> {
        if unpacked > self.limits.unpacked {
            return Err(FileError::TooMuch(format!(
                "unpacks to more than {} bytes; split it, or raise `max_file_bytes` in the settings",
                self.limits.unpacked
            )));
        }
        if unpacked > self.limits.ratio_from && unpacked / self.limits.ratio > self.packed {
            return Err(FileError::TooMuch(format!(
                "unpacks to more than {} times its size, as files do that are made to do harm; unpack it yourself if you trust it",
                self.limits.ratio
            )));
        }
        Ok(())
    }
}

/// Copies what comes out of a container to a file of ours.
fn copy_out(
    mut from: impl Read,
    to: &mut impl Write,
    meter: &mut Meter<'_>,
    what: &'static str,
) -> Result<(), FileError> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(FileError::Damaged {
                    what,
                    reason: error.to_string(),
                });
            }
        };
        meter.add(count)?;
        to.write_all(&buffer[..count])?;
    }
}

fn gunzip(mut input: Input, folder: &Path, limits: &FileLimits) -> Result<SharedFile, FileError> {
    let packed = input.seek(SeekFrom::End(0))?;
    input.seek(SeekFrom::Start(0))?;
    let mut meter = Meter::new(packed, limits);
    let mut out = BufWriter::with_capacity(1 << 18, tempfile::tempfile_in(folder)?);
    let unpacked = MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, input));
    copy_out(unpacked, &mut out, &mut meter, "gzip archive")?;
    finished(out)
}

fn finished(out: BufWriter<std::fs::File>) -> Result<SharedFile, FileError> {
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(SharedFile::new(file)?)
}

/// What is wrong with a ZIP container.
pub(crate) fn zip_error(error: ZipError) -> FileError {
    match error {
        ZipError::Io(error) => FileError::Damaged {
            what: "ZIP container",
            reason: error.to_string(),
        },
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => FileError::Encrypted,
        other => FileError::Damaged {
            what: "ZIP container",
            reason: other.to_string(),
        },
    }
}

/// Opens a ZIP container whose list of entries is not too long: the list is held in memory.
pub(crate) fn open_zip<R: Read + Seek>(
    mut input: R,
    limits: &FileLimits,
) -> Result<ZipArchive<R>, FileError> {
    let entries = entries_said(&mut input)?;
    if entries.is_some_and(|entries| entries > limits.entries) {
        return Err(FileError::TooMuch(format!(
            "holds more than {} files; take out those with contacts",
            limits.entries
        )));
    }
    ZipArchive::new(input).map_err(zip_error)
}

/// How many entries the end of a ZIP container says that there are.
fn entries_said<R: Read + Seek>(input: &mut R) -> io::Result<Option<u64>> {
    const END: usize = 22;
    let length = input.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(END as u64 + u64::from(u16::MAX) + 76);
    input.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    input
        .take(END as u64 + u64::from(u16::MAX) + 76)
        .read_to_end(&mut tail)?;
    input.seek(SeekFrom::Start(0))?;
    let number = |at: usize, bytes: usize| {
        tail.get(at..at + bytes).map(|field| {
            field
                .iter()
                .rev()
                .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        })
    };
    // The reader may take another end than the last, so the largest number counts.
    let short = memchr::memmem::find_iter(&tail, b"PK\x05\x06").filter_map(|at| number(at + 10, 2));
    let long = memchr::memmem::find_iter(&tail, b"PK\x06\x06").filter_map(|at| number(at + 32, 8));
    let short = short.filter(|count| *count != u64::from(u16::MAX));
    Ok(short.chain(long).max())
}

/// What kind of Office file a container is, if it is one.
fn office_kind<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<Option<Kind>, FileError> {
    let names: Vec<String> = archive
        .file_names_raw()
        .map(String::from_utf8_lossy)
        .map(|name| {
            name.replace('\\', "/")
                .trim_start_matches('/')
                .to_ascii_lowercase()
        })
        .collect();
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let has_in = |folder: &str| names.iter().any(|name| name.starts_with(folder));
    if has("[content_types].xml") || has("_rels/.rels") {
        if has("xl/workbook.bin") {
            return Err(FileError::Foreign {
                what: "a binary Excel workbook (XLSB)",
                todo: "open it and save it as XLSX",
            });
        }
        if has_in("word/") || has_in("ppt/") {
            return Err(FileError::Foreign {
                what: "an Office document without a table of contacts",
                todo: "save the contacts as CSV or XLSX",
            });
        }
        return Ok(Some(Kind::Xlsx));
    }
    if has("mimetype") && has("content.xml") {
        let mut kind = String::new();
        if let Ok(entry) = archive.by_name("mimetype") {
            // It is a short word; one that cannot be read is not ours.
            let _ = entry.take(200).read_to_string(&mut kind);
        }
        if kind
            .trim()
            .starts_with("application/vnd.oasis.opendocument.spreadsheet")
        {
            return Ok(Some(Kind::Ods));
        }
        return Err(FileError::Foreign {
            what: "a document without a table of contacts",
            todo: "save the contacts as CSV, XLSX or ODS",
        });
    }
    Ok(None)
}

/// Takes the one file out of a container, or all of its vCards.
fn unzip<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    folder: &Path,
    limits: &FileLimits,
) -> Result<(String, SharedFile), FileError> {
    let mut wanted: Vec<(usize, String)> = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(zip_error)?;
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        if entry.is_file() && !is_clutter(&name) {
            wanted.push((index, name));
        }
    }
    let Some((_, name)) = wanted.first().cloned() else {
        return Err(FileError::Foreign {
            what: "a ZIP container without a file",
            todo: "choose a CSV, XLSX, ODS, vCard or JSON file",
        });
    };
    let is_card = |name: &str| {
        Path::new(name)
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("vcf"))
    };
    if wanted.len() > 1 && !wanted.iter().all(|(_, name)| is_card(name)) {
        return Err(FileError::Several(listed(
            wanted.iter().map(|(_, name)| name.as_str()),
        )));
    }
    let mut out = BufWriter::with_capacity(1 << 18, tempfile::tempfile_in(folder)?);
    let packed = wanted.iter().try_fold(0_u64, |packed, (index, _)| {
        let entry = archive.by_index_raw(*index).map_err(zip_error)?;
        Ok::<_, FileError>(packed.saturating_add(entry.compressed_size()))
    })?;
    let mut meter = Meter::new(packed, limits);
    for (index, _) in &wanted {
        let entry = archive.by_index(*index).map_err(zip_error)?;
        meter.expect(entry.size())?;
        copy_out(entry, &mut out, &mut meter, "ZIP container")?;
        if wanted.len() > 1 {
            out.write_all(b"\r\n")?;
        }
    }
    Ok((name, finished(out)?))
}

/// Files that programs leave in containers and nobody means.
fn is_clutter(name: &str) -> bool {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    name.starts_with("__MACOSX/")
        || base.starts_with('.')
        || base.is_empty()
        || base.eq_ignore_ascii_case("thumbs.db")
        || base.eq_ignore_ascii_case("desktop.ini")
}

/// The first names of a list, in words.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    use std::fmt::Write as _;

    const SHOWN: usize = 10;
    let names: Vec<&str> = names.collect();
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{}`", crate::csv::cut(name)))
        .collect();
    let mut text = shown.join(", ");
    if names.len() > SHOWN {
        // Writing to a text cannot fail.
        let _ = write!(text, " and {} more", names.len() - SHOWN);
    }
    text
}
