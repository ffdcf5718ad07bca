//! Cutting a body into its records while it arrives.
//!
//! It looks only for the edges of records and leaves their inside to the reader of records, so that one that cannot be
//! read costs that one. At most one record is held, and of one that is too large only its beginning.

/// What holds the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON array.
    Array,
    /// One record a line.
    Lines,
}

/// Why the rest of a body cannot be cut into records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not {expected} at its byte {at}: {reason}")]
pub(crate) struct SplitError {
    expected: &'static str,
    at: u64,
    reason: String,
}

/// A body being cut.
#[derive(Debug)]
pub(crate) struct Splitter {
    form: Form,
    state: State,
    /// The record that is open.
    piece: Vec<u8>,
    /// How much of a record is kept.
    kept: usize,
    /// Bytes passed.
    at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the body's first sign; `mark` bytes of a byte order mark were seen.
    Start { mark: u8 },
    /// Before an element.
    Before { first: bool },
    /// In an element, so deep in its objects and arrays.
    Inside { depth: usize, text: Text },
    /// Behind the array.
    Behind,
    /// In a line.
    Line,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    /// Behind a backslash.
    Escaped,
}

const MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

impl Splitter {
    /// Cuts a body of this form; of a record that is longer than `limit` one byte more than that is kept.
    pub(crate) fn new(form: Form, limit: usize) -> Splitter {
        Splitter {
            form,
            state: State::Start { mark: 0 },
            piece: Vec::new(),
            kept: limit.saturating_add(1),
            at: 0,
        }
    }

    /// Takes more of the body in, and puts the records that end in it into `into`.
    pub(crate) fn push(&mut self, bytes: &[u8], into: &mut Vec<Vec<u8>>) -> Result<(), SplitError> {
        let mut position = 0;
        while position < bytes.len() {
            let taken = self.step(&bytes[position..], into)?;
            position += taken;
            self.at += taken as u64;
        }
        Ok(())
    }

    /// Ends the body. A record that has begun counts, even if the array does not end.
    pub(crate) fn finish(mut self, into: &mut Vec<Vec<u8>>) -> Result<(), SplitError> {
        if self.piece.trim_ascii().is_empty() {
            self.piece.clear();
        } else {
            self.end_piece(into);
        }
        match (self.form, self.state) {
            (Form::Lines, _) | (_, State::Behind) => Ok(()),
            (_, State::Start { .. }) => Err(self.error("it is empty")),
            _ => Err(self.error("the array does not end")),
        }
    }

    /// Passes at least one byte and says how many.
    fn step(&mut self, bytes: &[u8], into: &mut Vec<Vec<u8>>) -> Result<usize, SplitError> {
        let byte = bytes[0];
        match self.state {
            State::Start { mark } => {
                if MARK.get(usize::from(mark)) == Some(&byte) {
                    self.state = State::Start { mark: mark + 1 };
                } else if self.form == Form::Lines {
                    self.state = State::Line;
                    return Ok(0);
                } else if byte == b'[' {
                    self.state = State::Before { first: true };
                } else if !is_white(byte) {
                    return Err(self.error("it does not begin with `[`"));
                }
                Ok(1)
            }
            State::Line => {
                let end = bytes.iter().position(|byte| *byte == b'\n');
                self.keep(&bytes[..end.unwrap_or(bytes.len())]);
                let Some(end) = end else {
                    return Ok(bytes.len());
                };
                if self.piece.trim_ascii().is_empty() {
                    self.piece.clear();
                } else {
                    self.end_piece(into);
                }
                Ok(end + 1)
            }
            State::Before { first } => {
                match byte {
                    b']' if first => self.state = State::Behind,
                    b']' => return Err(self.error("a record is missing behind the last comma")),
                    b',' => {
                        self.state = State::Before { first: false };
                        self.end_piece(into);
                    }
                    byte if is_white(byte) => {}
                    _ => {
                        self.state = State::Inside {
                            depth: 0,
                            text: Text::Outside,
                        };
                        return Ok(0);
                    }
                }
                Ok(1)
            }
            State::Inside { depth, text } => Ok(self.inside(bytes, depth, text, into)),
            State::Behind if is_white(byte) => Ok(1),
            State::Behind => Err(self.error("something follows the end of the array")),
        }
    }

    /// Passes the part of an element that is in `bytes`.
    fn inside(
        &mut self,
        bytes: &[u8],
        mut depth: usize,
        mut text: Text,
        into: &mut Vec<Vec<u8>>,
    ) -> usize {
        for (position, byte) in bytes.iter().enumerate() {
            match (text, byte) {
                (Text::Escaped, _) | (Text::Outside, b'"') => text = Text::Inside,
                (Text::Inside, b'\\') => text = Text::Escaped,
                (Text::Inside, b'"') => text = Text::Outside,
                (Text::Outside, b'{' | b'[') => depth += 1,
                (Text::Outside, b',' | b']') if depth == 0 => {
                    self.keep(&bytes[..position]);
                    self.end_piece(into);
                    self.state = if *byte == b',' {
                        State::Before { first: false }
                    } else {
                        State::Behind
                    };
                    return position + 1;
                }
                // A brace too many stays in the element, which is then no JSON.
                (Text::Outside, b'}' | b']') => depth = depth.saturating_sub(1),
                (Text::Inside | Text::Outside, _) => {}
            }
        }
        self.keep(bytes);
        self.state = State::Inside { depth, text };
        bytes.len()
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.kept.saturating_sub(self.piece.len());
        self.piece
            .extend_from_slice(&bytes[..room.min(bytes.len())]);
    }

    fn end_piece(&mut self, into: &mut Vec<Vec<u8>>) {
        let mut piece = std::mem::take(&mut self.piece);
        piece.truncate(piece.trim_ascii_end().len());
        into.push(piece);
    }

    fn error(&self, reason: &str) -> SplitError {
        SplitError {
            expected: match self.form {
                Form::Array => "a JSON array",
                Form::Lines => "lines of JSON",
            },
            at: self.at + 1,
            reason: reason.to_owned(),
        }
    }
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The records of a body that arrives in chunks of this size, and whether it ends well.
    fn split(form: Form, body: &[u8], chunk: usize) -> (Vec<String>, bool) {
        let mut splitter = Splitter::new(form, 20);
        let mut pieces = Vec::new();
        let mut fine = true;
        for chunk in body.chunks(chunk) {
            if splitter.push(chunk, &mut pieces).is_err() {
                fine = false;
                break;
            }
        }
        if fine {
            fine = splitter.finish(&mut pieces).is_ok();
        }
        let text = |piece: &Vec<u8>| String::from_utf8_lossy(piece).into_owned();
        (pieces.iter().map(text).collect(), fine)
    }

    fn check(form: Form, body: &str, records: &[&str], fine: bool) {
        for chunk in [1, 2, 3, 7, 1000] {
            let (found, ends) = split(form, body.as_bytes(), chunk);
            assert_eq!(found, records, "{body:?} in chunks of {chunk}");
            assert_eq!(ends, fine, "{body:?} in chunks of {chunk}");
        }
    }

    #[test]
    fn an_array_is_cut_at_its_commas() {
        let check = |body, records: &[&str], fine| check(Form::Array, body, records, fine);
        check("[]", &[], true);
        check(" [ ] ", &[], true);
        check(
            "[{\"a\":1},{\"b\":[2,3]}]",
            &["{\"a\":1}", "{\"b\":[2,3]}"],
            true,
        );
        check("\u{feff}[\n {\"a\":1} ,\n 2 ]\n", &["{\"a\":1}", "2"], true);
        check(
            r#"[{"a":"],\"{"},"\\",3]"#,
            &[r#"{"a":"],\"{"}"#, r#""\\""#, "3"],
            true,
        );
        check("[1,,2]", &["1", "", "2"], true);
        check("[{},x}y,{}]", &["{}", "x}y", "{}"], true);
    }

    #[test]
    fn what_is_no_array_is_refused_where_it_ends() {
        let check = |body, records: &[&str], fine| check(Form::Array, body, records, fine);
        check("", &[], false);
        check("{}", &[], false);
        check("[1,]", &["1"], false);
        check("[1] 2", &["1"], false);
        check("[1,{\"a\":", &["1", "{\"a\":"], false);
        check("[{\"a\":1}", &["{\"a\":1}"], false);
        check("[", &[], false);
    }

    #[test]
    fn lines_are_cut_at_their_ends() {
        let check = |body, records: &[&str]| check(Form::Lines, body, records, true);
        check("", &[]);
        check("\n\r\n", &[]);
        check(
            "{\"a\":1}\n{\"b\":2}\r\n\n {3",
            &["{\"a\":1}", "{\"b\":2}", " {3"],
        );
        check("\u{feff}{}\n", &["{}"]);
    }

    #[test]
    fn of_a_long_record_the_beginning_is_kept() {
        let long = "x".repeat(100);
        let kept = "x".repeat(21);
        check(Form::Lines, &format!("{long}\n1\n"), &[&kept, "1"], true);
        check(Form::Array, &format!("[{long},1]"), &[&kept, "1"], true);
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(
            body in "[\\[\\]{},:\"\\\\ \na1]{0,40}",
            lines: bool,
            chunk in 1_usize..10,
        ) {
            let form = if lines { Form::Lines } else { Form::Array };
            prop_assert_eq!(
                split(form, body.as_bytes(), chunk),
                split(form, body.as_bytes(), 1000)
            );
        }
    }
}
