//! Uploaded files, kept by the SHA-256 of their content: in a folder, or in an S3-compatible bucket.
//!
//! Readers need a file on this machine that they can seek in. Files of the folder are read where they are; those of a
//! bucket are fetched into a cache that is limited in bytes. A file of the same content is kept once.

mod bucket;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::{NamedTempFile, TempPath};

use crate::config::Config;

/// Temporary files that are older than this were left behind by a process that was killed.
const LEFT_BEHIND: Duration = Duration::from_hours(24);

/// What the names of temporary files begin with.
const TEMPORARY: &str = ".tmp";

/// The SHA-256 of a file's content.
pub(crate) type Hash = [u8; 32];

/// Why a file cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlobError {
    /// It was deleted, or never there.
    #[error("the file is not kept any more; upload it again")]
    Missing,
    /// What is there has another content.
    #[error("the kept file is not the one that was uploaded; upload it again")]
    Damaged,
    /// The bucket does not answer, or refuses.
    #[error("the bucket of uploaded files cannot be used; check the settings `files` and `s3_…`")]
    Bucket(#[from] object_store::Error),
    /// The disk of this machine.
    #[error("the folder of uploaded files cannot be used; check its disk and its rights")]
    Disk(#[from] io::Error),
}

impl BlobError {
    /// Whether it is no fault of the file, so that trying again may help.
    pub(crate) fn passes(&self) -> bool {
        match self {
            BlobError::Missing | BlobError::Damaged => false,
            BlobError::Bucket(_) | BlobError::Disk(_) => true,
        }
    }

    /// The whole story, for the program's log. It names places, which is nothing for everybody.
    pub(crate) fn with_cause(&self) -> String {
        match self {
            BlobError::Missing | BlobError::Damaged => self.to_string(),
            BlobError::Bucket(cause) => format!("{self}: {cause}"),
            BlobError::Disk(cause) => format!("{self}: {cause}"),
        }
    }
}

/// The place of uploaded files.
#[derive(Debug)]
pub(crate) struct Blobs {
    folder: PathBuf,
    bucket: Option<bucket::Bucket>,
}

/// A kept file on this machine, for as long as this is held.
#[derive(Debug)]
pub(crate) struct BlobFile {
    path: PathBuf,
    _held: Held,
}

/// What keeps a file from being removed.
#[derive(Debug)]
#[expect(dead_code, reason = "it is held, and let go of when it is dropped")]
enum Held {
    /// Nothing removes it.
    InFolder,
    /// A shared lock, which whoever clears the cache respects.
    Cached(File),
    /// It is removed with this.
    Temporary(TempPath),
}

impl BlobFile {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Blobs {
    /// The place that the settings name. The folder is made if it is not there.
    pub(crate) fn open(config: &Config) -> Result<Blobs, BlobError> {
        let folder = config.files.clone();
        std::fs::create_dir_all(&folder)?;
        remove_left_behind(&folder)?;
        let bucket = match &config.bucket {
            Some(settings) => Some(bucket::Bucket::open(settings, &folder)?),
            None => None,
        };
        Ok(Blobs { folder, bucket })
    }

    /// Whether the place can be used: a folder takes a file, a bucket answers.
    pub(crate) async fn answers(&self) -> Result<(), BlobError> {
        let folder = self.folder.clone();
        on_disk(move || {
            NamedTempFile::new_in(folder)?.close()?;
            Ok(())
        })
        .await?;
        match &self.bucket {
            Some(bucket) => bucket.has(&[0; 32]).await.map(drop),
            None => Ok(()),
        }
    }

    /// Keeps a file, on disk when this returns. `file` was made in the folder of files; it is moved.
    pub(crate) async fn keep(&self, file: NamedTempFile, hash: &Hash) -> Result<(), BlobError> {
        if let Some(bucket) = &self.bucket {
            return bucket.keep(file, hash).await;
        }
        let path = self.folder.join(hex(hash));
        on_disk(move || persist(file, &path)).await
    }

    /// The file with this content, to be read on this machine.
    pub(crate) async fn fetch(&self, hash: &Hash) -> Result<BlobFile, BlobError> {
        if let Some(bucket) = &self.bucket {
            return bucket.fetch(hash).await;
        }
        let path = self.folder.join(hex(hash));
        if !tokio::fs::try_exists(&path).await? {
            return Err(BlobError::Missing);
        }
        Ok(BlobFile {
            path,
            _held: Held::InFolder,
        })
    }

    /// Whether a file with this content is kept.
    pub(crate) async fn is_kept(&self, hash: &Hash) -> Result<bool, BlobError> {
        match &self.bucket {
            Some(bucket) => bucket.has(hash).await,
            None => Ok(tokio::fs::try_exists(self.folder.join(hex(hash))).await?),
        }
    }

    /// Whether a file with this content may be kept, without asking a bucket: for lists.
    pub(crate) fn may_be_kept(&self, hash: &Hash) -> bool {
        self.bucket.is_some() || self.folder.join(hex(hash)).exists()
    }

    /// Deletes the file with this content, if it is kept. Imports of other uploads of it lose theirs, too.
    pub(crate) async fn delete(&self, hash: &Hash) -> Result<(), BlobError> {
        match &self.bucket {
            Some(bucket) => bucket.delete(hash).await,
            None => match tokio::fs::remove_file(self.folder.join(hex(hash))).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
                _ => Ok(()),
            },
        }
    }
}

/// A hash as file names and people write it.
pub(crate) fn hex(hash: &Hash) -> String {
    use std::fmt::Write;
    hash.iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Moves a temporary file to its place, unless a file of that content is there.
fn persist(file: NamedTempFile, path: &Path) -> Result<(), BlobError> {
    if path.exists() {
        return Ok(());
    }
    file.as_file().sync_all()?;
    let folder = path.parent().unwrap_or(Path::new("."));
    match file.persist(path) {
        Ok(_) => {}
        // Another file system: copy, then rename, so that nobody ever sees half a file.
        Err(error) => {
            let mut copy = NamedTempFile::new_in(folder)?;
            io::copy(&mut File::open(error.file.path())?, copy.as_file_mut())?;
            copy.as_file().sync_all()?;
            copy.persist(path).map_err(|error| error.error)?;
        }
    }
    // The name must survive a power cut, too.
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Removes temporary files that nobody can be writing any more.
fn remove_left_behind(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
        let age = || {
            let modified = entry.metadata().ok()?.modified().ok()?;
            SystemTime::now().duration_since(modified).ok()
        };
        if is_ours && age().is_some_and(|age| age > LEFT_BEHIND) {
            // Another process may be faster.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Does work on the disk where it may block.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(BlobError::Disk(io::Error::other(error))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;
    use std::io::Write;

    use super::*;

    fn blobs(folder: &Path) -> Blobs {
        Blobs {
            folder: folder.to_owned(),
            bucket: None,
        }
    }

    #[tokio::test]
    async fn a_folder_keeps_files_by_their_content() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = blobs(folder.path());
        let missing = blobs.fetch(&[1; 32]).await;
        assert!(matches!(missing, Err(BlobError::Missing)));
        for _ in 0..2 {
            let mut file = NamedTempFile::new_in(folder.path()).unwrap();
            file.write_all(b"Name\nAnna\n").unwrap();
            blobs.keep(file, &[1; 32]).await.unwrap();
        }
        let file = blobs.fetch(&[1; 32]).await.unwrap();
        assert_eq!(file.path(), folder.path().join("01".repeat(32)));
        assert_eq!(std::fs::read(file.path()).unwrap(), b"Name\nAnna\n");
        assert!(blobs.is_kept(&[1; 32]).await.unwrap() && blobs.may_be_kept(&[1; 32]));
        blobs.delete(&[1; 32]).await.unwrap();
        blobs.delete(&[1; 32]).await.unwrap();
        assert!(!blobs.is_kept(&[1; 32]).await.unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_what_a_killed_process_left_behind_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let old = FileTimes::new().set_modified(SystemTime::now() - LEFT_BEHIND * 2);
        for name in [".tmpOld", "kept"] {
            let file = File::create(path(name)).unwrap();
            file.set_times(old).unwrap();
        }
        File::create(path(".tmpNew")).unwrap();
        remove_left_behind(folder.path()).unwrap();
        let there = [".tmpOld", "kept", ".tmpNew"].map(|name| path(name).exists());
        assert_eq!(there, [false, true, true]);
    }
}
