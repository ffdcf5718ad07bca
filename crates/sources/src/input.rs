//! Where the bytes of a file are read from: a file of somebody's, or one of ours without a name that several read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

/// The bytes of a file.
#[derive(Debug)]
pub enum Input {
    /// A file that nobody else reads through this handle.
    File(File),
    /// A file that was unpacked or converted.
    Shared(SharedFile),
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Input::File(file) => file.read(buffer),
            Input::Shared(file) => file.read(buffer),
        }
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Input::File(file) => file.seek(to),
            Input::Shared(file) => file.seek(to),
        }
    }
}

/// A file that is gone with its last handle. Every clone reads at a place of its own.
#[derive(Debug, Clone)]
pub struct SharedFile {
    file: Arc<Mutex<File>>,
    length: u64,
    at: u64,
}

impl SharedFile {
    /// Shares a file that is written completely. A clone starts where its origin stands, this one at the beginning.
    pub fn new(file: File) -> io::Result<SharedFile> {
        let length = file.metadata()?.len();
        Ok(SharedFile {
            file: Arc::new(Mutex::new(file)),
            length,
            at: 0,
        })
    }
}

impl Read for SharedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Every reader seeks before it reads, so a reader that broke off has spoilt nothing.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let count = file.read(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn every_reader_has_its_own_place() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let mut one = SharedFile::new(file).unwrap();
        let mut other = one.clone();
        let mut buffer = [0; 4];
        one.read_exact(&mut buffer).unwrap();
        other.seek(SeekFrom::End(-2)).unwrap();
        let mut rest = String::new();
        other.read_to_string(&mut rest).unwrap();
        assert_eq!((&buffer, rest.as_str()), (b"0123", "89"));
        one.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"4567");
        assert!(one.seek(SeekFrom::Current(-100)).is_err());
    }
}
