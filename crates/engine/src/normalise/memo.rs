//! Words that were read before. Most files have few countries and languages, and finding one among all spellings of all
//! of them takes longer than everything else about its record.

use std::cell::RefCell;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::issue::Problem;

/// How many words are remembered; then it begins anew.
const MOST: usize = 1_000;

/// The longest word that is remembered, in bytes.
const LONGEST: usize = 64;

/// What words were read as. It must always be asked with the same reader.
#[derive(Debug)]
pub(super) struct Memo<T>(RefCell<HashMap<String, T, RandomState>>);

impl<T> Default for Memo<T> {
    fn default() -> Memo<T> {
        Memo(RefCell::default())
    }
}

impl<T: Clone> Memo<T> {
    /// Reads a word, if it was not read before. What cannot be read is read anew each time.
    pub(super) fn read(
        &self,
        word: &str,
        read: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        if let Some(known) = self.0.borrow().get(word) {
            return Ok(known.clone());
        }
        let value = read(word)?;
        if word.len() <= LONGEST {
            let mut known = self.0.borrow_mut();
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(word.to_owned(), value.clone());
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_once_unless_it_cannot_be_read() {
        let memo = Memo::default();
        let reads = RefCell::new(Vec::new());
        let read = |word: &str| {
            memo.read(word, |word| {
                reads.borrow_mut().push(word.to_owned());
                word.parse::<u32>().map_err(|_| Problem::CountryUnknown)
            })
        };
        for _ in 0..2 {
            assert_eq!(read("7"), Ok(7));
            assert_eq!(read("x"), Err(Problem::CountryUnknown));
        }
        assert_eq!(*reads.borrow(), ["7", "x", "x"]);
    }

    #[test]
    fn memory_has_an_end() {
        let memo = Memo::default();
        for number in 0..3 * MOST {
            assert_eq!(memo.read(&number.to_string(), |_| Ok(number)), Ok(number));
        }
        let long = "9".repeat(LONGEST + 1);
        assert_eq!(memo.read(&long, |_| Ok(1)), Ok(1));
        assert_eq!(memo.read(&long, |_| Ok(2)), Ok(2));
        assert!(memo.0.borrow().len() <= MOST);
    }
}
