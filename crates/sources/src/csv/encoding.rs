//! The encoding of a file's text: told by its mark, by the user, or guessed from all of its bytes; and decoding.
//!
//! Bytes that do not decode never stop a file: they become U+FFFD, and [`Text::damaged`] says so.

use std::io::{self, Read, Seek, SeekFrom};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{CoderResult, UTF_8, UTF_16BE, UTF_16LE};
use memchr::memchr;

/// Bytes are read in pieces of this size.
const PIECE: usize = 64 * 1024;

/// How many bytes that are not ASCII's are enough to guess an encoding from.
const ENOUGH: usize = 4 * 1024 * 1024;

/// A character encoding: those of the WHATWG standard, and UTF-32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Standard(&'static encoding_rs::Encoding),
    Utf32 { big_endian: bool },
}

impl Encoding {
    /// UTF-8.
    pub const UTF_8: Encoding = Encoding(Kind::Standard(UTF_8));
    const UTF_32LE: Encoding = Encoding(Kind::Utf32 { big_endian: false });
    const UTF_32BE: Encoding = Encoding(Kind::Utf32 { big_endian: true });

    /// The encoding that a label names: those of the WHATWG standard and the spellings other programs use
    /// (`latin-1`, `utf_16_le`, `cp932`, `iso8859-15`), in any case.
    pub fn for_label(label: &str) -> Option<Encoding> {
        let label = label.trim().to_ascii_lowercase();
        if let Some(encoding) = encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()) {
            return Some(Encoding(Kind::Standard(encoding)));
        }
        let bare: String = label
            .chars()
            .filter(|c| !matches!(c, '-' | '_' | ' ' | '.'))
            .collect();
        let standard = match bare.as_str() {
            "utf32" | "utf32le" | "ucs4" | "ucs4le" => return Some(Encoding::UTF_32LE),
            "utf32be" | "ucs4be" => return Some(Encoding::UTF_32BE),
            "utf8" | "utf8sig" | "utf8bom" => "utf-8",
            "utf16" | "utf16le" | "ucs2" | "ucs2le" => "utf-16le",
            "utf16be" | "ucs2be" => "utf-16be",
            "latin1" | "ansi" => "windows-1252",
            "macroman" | "macintosh" => "macintosh",
            "maccyrillic" => "x-mac-cyrillic",
            "cp932" | "windows31j" | "ms932" | "sjis" | "shiftjis" => "shift_jis",
            "cp936" | "ms936" => "gbk",
            "cp949" | "ms949" | "uhc" | "euckr" => "euc-kr",
            "cp950" | "ms950" | "big5hkscs" => "big5",
            "eucjp" => "euc-jp",
            "iso2022jp" => "iso-2022-jp",
            _ => {
                return iso_or_windows(&bare)
                    .and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()))
                    .map(|encoding| Encoding(Kind::Standard(encoding)));
            }
        };
        encoding_rs::Encoding::for_label(standard.as_bytes())
            .map(|encoding| Encoding(Kind::Standard(encoding)))
    }

    /// The name to show and to store; [`Encoding::for_label`] reads it back.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Standard(encoding) => encoding.name(),
            Kind::Utf32 { big_endian: false } => "UTF-32LE",
            Kind::Utf32 { big_endian: true } => "UTF-32BE",
        }
    }

    /// A text in this encoding, without a mark; none if it has characters that the encoding has not.
    pub fn encode(self, text: &str) -> Option<Vec<u8>> {
        match self.0 {
            Kind::Standard(encoding) if encoding == UTF_16LE => {
                Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect())
            }
            Kind::Standard(encoding) if encoding == UTF_16BE => {
                Some(text.encode_utf16().flat_map(u16::to_be_bytes).collect())
            }
            Kind::Standard(encoding) => {
                let (bytes, _, lossy) = encoding.encode(text);
                (!lossy).then(|| bytes.into_owned())
            }
            Kind::Utf32 { big_endian } => {
                let units = text.chars().map(u32::from);
                let bytes = units.map(|unit| {
                    if big_endian {
                        unit.to_be_bytes()
                    } else {
                        unit.to_le_bytes()
                    }
                });
                Some(bytes.flatten().collect())
            }
        }
    }

    /// The encoding that a byte order mark at the start of a file announces.
    fn for_mark(start: &[u8]) -> Option<Encoding> {
        // The mark of UTF-16LE is the beginning of that of UTF-32LE.
        if start.starts_with(&[0xFF, 0xFE, 0, 0]) {
            return Some(Encoding::UTF_32LE);
        }
        if start.starts_with(&[0, 0, 0xFE, 0xFF]) {
            return Some(Encoding::UTF_32BE);
        }
        encoding_rs::Encoding::for_bom(start)
            .map(|(encoding, _)| Encoding(Kind::Standard(encoding)))
    }
}

/// `iso885915`, `88591`, `win1252`, `cp1250` and their like as labels of the standard.
fn iso_or_windows(bare: &str) -> Option<String> {
    let digits = bare.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let word = &bare[..bare.len() - digits.len()];
    match (word, digits.strip_prefix("8859")) {
        ("iso" | "", Some(part)) => Some(format!("iso-8859-{part}")),
        ("latin", None) => Some(format!("l{digits}")),
        ("win" | "windows" | "cp" | "ms", None) if digits.starts_with("125") || digits == "874" => {
            Some(format!("windows-{digits}"))
        }
        _ => None,
    }
}

/// Settles the encoding of a whole file and leaves it at its start.
///
/// A byte order mark decides even against `given`: it is part of the text, and a wrong guess of a person is likelier
/// than a file that starts with one by accident. Without either, all bytes are looked at, because the first that is
/// not ASCII may come after a hundred megabytes that are.
pub(crate) fn settle<R: Read + Seek>(
    input: &mut R,
    given: Option<Encoding>,
) -> io::Result<Encoding> {
    input.seek(SeekFrom::Start(0))?;
    let mut piece = vec![0; PIECE];
    let length = read_full(input, &mut piece)?;
    let start = &piece[..length];
    let encoding = match Encoding::for_mark(start).or(given).or_else(|| wide(start)) {
        Some(encoding) => encoding,
        None => narrow(input)?,
    };
    input.seek(SeekFrom::Start(0))?;
    Ok(encoding)
}

/// UTF-16 or UTF-32 without a mark: told by where the zero bytes stand.
fn wide(start: &[u8]) -> Option<Encoding> {
    let mut zeros = [0_usize; 4];
    for (position, byte) in start.iter().enumerate() {
        zeros[position % 4] += usize::from(*byte == 0);
    }
    let quarter = start.len() / 4;
    if start.len() < 4 || zeros.iter().all(|count| *count == 0) {
        return None;
    }
    // Characters of UTF-32 have a zero byte at the top always, and below it almost always.
    if start.len() >= 8 && zeros[3] >= quarter && zeros[2] * 10 >= quarter * 9 && zeros[0] == 0 {
        return Some(Encoding::UTF_32LE);
    }
    if start.len() >= 8 && zeros[0] >= quarter && zeros[1] * 10 >= quarter * 9 && zeros[3] == 0 {
        return Some(Encoding::UTF_32BE);
    }
    let (even, odd) = (zeros[0] + zeros[2], zeros[1] + zeros[3]);
    let half = start.len() / 2;
    let (encoding, with, without) = if odd > even {
        (UTF_16LE, odd, even)
    } else {
        (UTF_16BE, even, odd)
    };
    // Delimiters, newlines and digits alone make a tenth of the characters of a table in any script. But text with
    // stray zero bytes is text of bytes, if it is sound as that.
    let usual = with * 10 >= half && without * 20 <= half;
    let usual = usual && (with * 2 > half || std::str::from_utf8(start).is_err());
    let sound = !encoding.decode_without_bom_handling(&start[..half * 2]).1;
    (usual && (sound || half * 2 >= PIECE)).then_some(Encoding(Kind::Standard(encoding)))
}

/// UTF-8 if the whole file is, else what its bytes look like.
fn narrow<R: Read + Seek>(input: &mut R) -> io::Result<Encoding> {
    input.seek(SeekFrom::Start(0))?;
    if all_utf8(input)? {
        return Ok(Encoding::UTF_8);
    }
    input.seek(SeekFrom::Start(0))?;
    guess(input)
}

/// Whether the whole file is UTF-8 and has no escape sequences of ISO-2022-JP.
fn all_utf8<R: Read>(input: &mut R) -> io::Result<bool> {
    let mut piece = vec![0; PIECE];
    let mut kept = 0;
    loop {
        let length = kept + read_full(input, &mut piece[kept..])?;
        let at_end = length < PIECE;
        let bytes = &piece[..length];
        if memchr(0x1B, bytes).is_some_and(|at| matches!(bytes.get(at + 1), Some(b'$' | b'('))) {
            return Ok(false);
        }
        kept = match std::str::from_utf8(bytes) {
            Ok(_) => 0,
            Err(error) if error.error_len().is_none() && !at_end => length - error.valid_up_to(),
            Err(_) => return Ok(false),
        };
        if at_end {
            return Ok(true);
        }
        piece.copy_within(length - kept..length, 0);
    }
}

/// The likeliest encoding of a file that is not UTF-8 throughout.
fn guess<R: Read>(input: &mut R) -> io::Result<Encoding> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    let mut piece = vec![0; PIECE];
    let (mut sequences, mut strays, mut seen) = (0_usize, 0_usize, 0_usize);
    loop {
        let length = read_full(input, &mut piece)?;
        let bytes = &piece[..length];
        if !bytes.is_ascii() || memchr(0x1B, bytes).is_some() {
            detector.feed(bytes, false);
            for chunk in bytes.utf8_chunks() {
                sequences += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
                strays += usize::from(!chunk.invalid().is_empty());
            }
            seen += length;
        }
        if length < PIECE || seen >= ENOUGH {
            break;
        }
    }
    detector.feed(b"", true);
    // Text in another encoding hardly ever forms sequences of UTF-8, so a file in which they prevail is UTF-8 with a
    // few damaged places: reading all of it as something else would damage every name instead.
    if sequences > strays * 2 {
        return Ok(Encoding::UTF_8);
    }
    Ok(Encoding(Kind::Standard(
        detector.guess(None, Utf8Detection::Deny),
    )))
}

/// Reads until the buffer is full or the input ends.
fn read_full<R: Read>(input: &mut R, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A window on the text of a file: decoded in pieces, dropped from the front as it is read.
pub(crate) struct Text<R> {
    input: R,
    decoder: Decoder,
    piece: Vec<u8>,
    window: String,
    ended: bool,
    damaged: bool,
}

enum Decoder {
    Standard(encoding_rs::Decoder),
    Utf32 {
        big_endian: bool,
        kept: Vec<u8>,
        at_start: bool,
    },
}

impl<R: Read> Text<R> {
    /// The text of an input that stands at its start.
    pub(crate) fn new(input: R, encoding: Encoding) -> Text<R> {
        let decoder = match encoding.0 {
            Kind::Standard(encoding) => Decoder::Standard(encoding.new_decoder_with_bom_removal()),
            Kind::Utf32 { big_endian } => Decoder::Utf32 {
                big_endian,
                kept: Vec::new(),
                at_start: true,
            },
        };
        Text {
            input,
            decoder,
            piece: vec![0; PIECE],
            window: String::new(),
            ended: false,
            damaged: false,
        }
    }

    /// The text at hand.
    pub(crate) fn window(&self) -> &str {
        &self.window
    }

    /// Whether the window reaches to the end of the file.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Whether bytes were met that do not decode.
    pub(crate) fn damaged(&self) -> bool {
        self.damaged
    }

    /// Drops the first `read` bytes of the window.
    pub(crate) fn drop_front(&mut self, read: usize) {
        self.window.drain(..read);
    }

    /// Drops the first `read` bytes of the window and adds at least `more` to its end, if the file has them.
    pub(crate) fn advance(&mut self, read: usize, more: usize) -> io::Result<()> {
        self.window.drain(..read);
        let goal = self.window.len() + more.max(1);
        while self.window.len() < goal && !self.ended {
            let count = match self.input.read(&mut self.piece) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.ended = count == 0;
            self.damaged |= self
                .decoder
                .decode(&self.piece[..count], self.ended, &mut self.window);
        }
        Ok(())
    }
}

impl Decoder {
    /// Decodes the next bytes to the end of `text`; says whether some did not decode.
    fn decode(&mut self, mut bytes: &[u8], last: bool, text: &mut String) -> bool {
        match self {
            Decoder::Standard(decoder) => {
                let mut damaged = false;
                loop {
                    let room = decoder
                        .max_utf8_buffer_length(bytes.len())
                        .unwrap_or(bytes.len());
                    text.reserve(room);
                    let (result, read, replaced) = decoder.decode_to_string(bytes, text, last);
                    damaged |= replaced;
                    bytes = &bytes[read..];
                    if result == CoderResult::InputEmpty {
                        return damaged;
                    }
                }
            }
            Decoder::Utf32 {
                big_endian,
                kept,
                at_start,
            } => {
                kept.extend_from_slice(bytes);
                let mut damaged = false;
                let whole = kept.len() - kept.len() % 4;
                for unit in kept[..whole].chunks_exact(4) {
                    let unit = [unit[0], unit[1], unit[2], unit[3]];
                    let number = if *big_endian {
                        u32::from_be_bytes(unit)
                    } else {
                        u32::from_le_bytes(unit)
                    };
                    let character = char::from_u32(number);
                    damaged |= character.is_none();
                    if !(*at_start && character == Some('\u{FEFF}')) {
                        text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    *at_start = false;
                }
                kept.drain(..whole);
                if last && !kept.is_empty() {
                    kept.clear();
                    text.push(char::REPLACEMENT_CHARACTER);
                    damaged = true;
                }
                damaged
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn settled(bytes: &[u8]) -> &'static str {
        settle(&mut Cursor::new(bytes), None).unwrap().name()
    }

    fn decoded(bytes: &[u8], label: &str) -> (String, bool) {
        let mut text = Text::new(bytes, Encoding::for_label(label).unwrap());
        while !text.ended() {
            text.advance(0, 1).unwrap();
        }
        (text.window().to_owned(), text.damaged())
    }

    #[test]
    fn labels_of_other_programs_are_known() {
        for (label, name) in [
            ("utf-8", "UTF-8"),
            ("UTF_8_SIG", "UTF-8"),
            ("utf-16-be", "UTF-16BE"),
            ("utf_16_le", "UTF-16LE"),
            ("utf-32-le", "UTF-32LE"),
            ("UTF-32BE", "UTF-32BE"),
            ("iso8859-1", "windows-1252"),
            ("ISO-8859-15", "ISO-8859-15"),
            ("iso8859_7", "ISO-8859-7"),
            ("latin-1", "windows-1252"),
            ("latin2", "ISO-8859-2"),
            ("cp1252", "windows-1252"),
            ("Windows_1251", "windows-1251"),
            ("cp932", "Shift_JIS"),
            ("mac_roman", "macintosh"),
            ("cp949", "EUC-KR"),
            ("big5-hkscs", "Big5"),
        ] {
            assert_eq!(
                Encoding::for_label(label).map(Encoding::name),
                Some(name),
                "{label}"
            );
        }
        assert_eq!(Encoding::for_label("klingon"), None);
        assert_eq!(Encoding::for_label(""), None);
    }

    #[test]
    fn marks_decide() {
        assert_eq!(settled(b"\xEF\xBB\xBFa,b"), "UTF-8");
        assert_eq!(settled(b"\xFF\xFEa\0"), "UTF-16LE");
        assert_eq!(settled(b"\xFE\xFF\0a"), "UTF-16BE");
        assert_eq!(settled(b"\xFF\xFE\0\0a\0\0\0"), "UTF-32LE");
        assert_eq!(settled(b"\0\0\xFE\xFF\0\0\0a"), "UTF-32BE");
        let given = Encoding::for_label("latin1");
        let mut marked = Cursor::new(b"\xEF\xBB\xBFa,b");
        assert_eq!(settle(&mut marked, given).unwrap().name(), "UTF-8");
    }

    #[test]
    fn wide_text_without_a_mark_is_recognised() {
        let text = "name;phone\nWeber;+49 30 1234\nпривет;1\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let wide: Vec<u8> = text
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        assert_eq!(settled(&little), "UTF-16LE");
        assert_eq!(settled(&big), "UTF-16BE");
        assert_eq!(settled(&wide), "UTF-32LE");
        assert_eq!(decoded(&wide, "utf-32le"), (text.to_owned(), false));
        assert_eq!(settled(b"a,b\0c\nd,e\n"), "UTF-8");
        assert_eq!(settled(b"a,b\0\n"), "UTF-8");
    }

    #[test]
    fn a_late_foreign_byte_is_found() {
        let mut bytes = b"name,city\n".to_vec();
        for _ in 0..40_000 {
            bytes.extend_from_slice(b"Anna,Berlin\n");
        }
        assert_eq!(settled(&bytes), "UTF-8");
        bytes.extend_from_slice(b"J\xFCrgen M\xFCller,K\xF6ln\n");
        assert_eq!(settled(&bytes), "windows-1252");
    }

    #[test]
    fn sequences_across_pieces_are_whole() {
        for shift in 0..4 {
            let mut bytes = vec![b'a'; PIECE - shift];
            bytes.extend_from_slice("äöü€😀".as_bytes());
            assert_eq!(settled(&bytes), "UTF-8");
            assert!(!decoded(&bytes, "utf-8").1);
        }
    }

    #[test]
    fn a_damaged_place_does_not_make_utf8_something_else() {
        let mut bytes = "Jürgen,Köln\nZoë,Malmö\n".as_bytes().to_vec();
        bytes.extend_from_slice(b"Fran\xE7ois,Lyon\n");
        assert_eq!(settled(&bytes), "UTF-8");
        let (text, damaged) = decoded(&bytes, "utf-8");
        assert!(damaged && text.contains("Fran\u{FFFD}ois"));
    }

    #[test]
    fn half_a_character_at_the_end_is_damage() {
        assert_eq!(decoded(b"a\0b", "utf-16le"), ("a\u{FFFD}".to_owned(), true));
        assert_eq!(
            decoded(b"a\0\0\0b\0", "utf-32le"),
            ("a\u{FFFD}".to_owned(), true)
        );
        assert_eq!(
            decoded(b"\0\0\0\x11", "utf-32le"),
            ("\u{FFFD}".to_owned(), true)
        );
    }
}
