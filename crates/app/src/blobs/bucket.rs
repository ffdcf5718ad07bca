//! A bucket of an S3-compatible object store, with a cache of whole files on this machine.
//!
//! The cache is a folder that several processes share. Who reads a file in it holds a shared lock on it, and who makes
//! room only removes what it can lock for itself; whoever got a lock looks whether the file still has its name.

use std::fs::{File, FileTimes};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::buffered::BufWriter;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use super::{BlobError, BlobFile, Hash, Held, hex, on_disk, remove_left_behind};
use crate::config::BucketSettings;

/// Bytes that are sent or fetched with one request: a file below that is one upload, a larger one comes in parts.
const PART: u64 = 8 << 20;

/// Parts that are sent at the same time.
const PARTS_AT_ONCE: usize = 4;

/// How long connecting, and a request as a whole, may take.
const CONNECTING: Duration = Duration::from_secs(5);
const REQUEST: Duration = Duration::from_mins(1);

/// How long, and how often, a request is tried again: somebody waits for the answer.
const TRYING: Duration = Duration::from_secs(20);
const TRIES: usize = 3;

/// A bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    store: Arc<AmazonS3>,
    prefix: String,
    cache: Cache,
}

/// Files of the bucket on this machine.
#[derive(Debug, Clone)]
struct Cache {
    folder: PathBuf,
    /// Bytes that it may take.
    limit: u64,
}

impl Bucket {
    /// A bucket, with its cache inside the folder of files. Nothing is asked of it yet.
    pub(super) fn open(settings: &BucketSettings, folder: &Path) -> Result<Bucket, BlobError> {
        // Whoever set another provider for this process has done what is needed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = ClientOptions::new()
            .with_connect_timeout(CONNECTING)
            .with_timeout(REQUEST);
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&settings.name)
            .with_region(&settings.region)
            .with_client_options(client)
            .with_retry(RetryConfig {
                max_retries: TRIES,
                retry_timeout: TRYING,
                ..RetryConfig::default()
            });
        if let Some(endpoint) = &settings.endpoint {
            builder = builder
                .with_endpoint(endpoint)
                .with_allow_http(endpoint.starts_with("http://"));
        }
        if let Some((access, secret)) = &settings.keys {
            builder = builder
                .with_access_key_id(access)
                .with_secret_access_key(secret.reveal());
        }
        let cache = Cache {
            folder: folder.join("cache"),
            limit: settings.cache_bytes,
        };
        std::fs::create_dir_all(&cache.folder)?;
        remove_left_behind(&cache.folder)?;
        Ok(Bucket {
            store: Arc::new(builder.build()?),
            prefix: settings.prefix.clone(),
            cache,
        })
    }

    fn key(&self, hash: &Hash) -> object_store::path::Path {
        let name = hex(hash);
        if self.prefix.is_empty() {
            object_store::path::Path::from(name)
        } else {
            object_store::path::Path::from(format!("{}/{name}", self.prefix))
        }
    }

    /// The size of an object, if it is there.
    async fn size(&self, hash: &Hash) -> Result<Option<u64>, BlobError> {
        match self.store.head(&self.key(hash)).await {
            Ok(object) => Ok(Some(object.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether an object is there.
    pub(super) async fn has(&self, hash: &Hash) -> Result<bool, BlobError> {
        Ok(self.size(hash).await?.is_some())
    }

    /// Sends a file and lets it be the first in the cache, for it will be read at once.
    pub(super) async fn keep(&self, file: NamedTempFile, hash: &Hash) -> Result<(), BlobError> {
        let size = file.as_file().metadata()?.len();
        if self.size(hash).await? != Some(size) {
            let mut reader = tokio::fs::File::from_std(file.reopen()?);
            let store: Arc<dyn ObjectStore> = Arc::clone(&self.store) as Arc<dyn ObjectStore>;
            let part = usize::try_from(PART).unwrap_or(usize::MAX);
            let mut writer = BufWriter::with_capacity(store, self.key(hash), part)
                .with_max_concurrency(PARTS_AT_ONCE);
            let sent = async {
                tokio::io::copy(&mut reader, &mut writer).await?;
                writer.shutdown().await
            };
            if let Err(error) = sent.await {
                // Parts of a file that never became one would be paid for until somebody finds them.
                let _ = writer.abort().await;
                return Err(of_bucket(error));
            }
        }
        let (cache, hash) = (self.cache.clone(), *hash);
        on_disk(move || {
            if size <= cache.limit {
                cache.make_room(size)?;
                file.persist(cache.path(&hash))
                    .map_err(|error| error.error)?;
            }
            Ok(())
        })
        .await
    }

    /// The file in the cache; it is fetched if it is not there.
    pub(super) async fn fetch(&self, hash: &Hash) -> Result<BlobFile, BlobError> {
        let (cache, wanted) = (self.cache.clone(), *hash);
        if let Some(file) = on_disk(move || cache.hold(&wanted)).await? {
            return Ok(file);
        }
        let size = self.size(hash).await?.ok_or(BlobError::Missing)?;
        let cache = self.cache.clone();
        let mut file = on_disk(move || {
            cache.make_room(size)?;
            Ok(NamedTempFile::new_in(&cache.folder)?)
        })
        .await?;
        let mut at = 0;
        while at < size {
            let end = size.min(at + PART);
            let part = match self.store.get_range(&self.key(hash), at..end).await {
                Err(object_store::Error::NotFound { .. }) => return Err(BlobError::Missing),
                part => part?,
            };
            file = on_disk(move || {
                file.write_all(&part)?;
                Ok(file)
            })
            .await?;
            at = end;
        }
        let (cache, hash) = (self.cache.clone(), *hash);
        on_disk(move || cache.take_in(file, &hash)).await
    }

    /// Deletes an object, if it is there.
    pub(super) async fn delete(&self, hash: &Hash) -> Result<(), BlobError> {
        match self.store.delete(&self.key(hash)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        match tokio::fs::remove_file(self.cache.path(hash)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// What a writer says of a bucket comes wrapped.
fn of_bucket(error: io::Error) -> BlobError {
    match error.downcast::<object_store::Error>() {
        Ok(error) => BlobError::Bucket(error),
        Err(error) => BlobError::Disk(error),
    }
}

impl Cache {
    fn path(&self, hash: &Hash) -> PathBuf {
        self.folder.join(hex(hash))
    }

    /// The file with this content, locked against removal, if it is here.
    fn hold(&self, hash: &Hash) -> Result<Option<BlobFile>, BlobError> {
        let path = self.path(hash);
        loop {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            file.lock_shared()?;
            let named = std::fs::metadata(&path);
            if named.is_ok_and(|named| file.metadata().is_ok_and(|own| own.ino() == named.ino())) {
                // The files that were not read for longest go first.
                let _ = file.set_times(FileTimes::new().set_modified(SystemTime::now()));
                return Ok(Some(BlobFile {
                    path,
                    _held: Held::Cached(file),
                }));
            }
        }
    }

    /// Checks a fetched file and takes it in; one that is too large for the cache is only kept while it is read.
    fn take_in(&self, mut file: NamedTempFile, hash: &Hash) -> Result<BlobFile, BlobError> {
        file.rewind()?;
        if hash_of(file.as_file_mut())? != *hash {
            return Err(BlobError::Damaged);
        }
        if file.as_file().metadata()?.len() > self.limit {
            let path = file.path().to_owned();
            return Ok(BlobFile {
                path,
                _held: Held::Temporary(file.into_temp_path()),
            });
        }
        let path = self.path(hash);
        file.as_file().lock_shared()?;
        let file = file.persist(&path).map_err(|error| error.error)?;
        Ok(BlobFile {
            path,
            _held: Held::Cached(file),
        })
    }

    /// Removes what nobody reads and was not read for longest, until there is room for so many bytes.
    fn make_room(&self, bytes: u64) -> Result<(), BlobError> {
        let mut files = Vec::new();
        let mut taken = bytes;
        for entry in std::fs::read_dir(&self.folder)? {
            // Somebody else may be making room, too.
            let Ok(metadata) = entry
                .as_ref()
                .map_err(|_| ())
                .and_then(|entry| entry.metadata().map_err(|_| ()))
            else {
                continue;
            };
            taken = taken.saturating_add(metadata.len());
            files.push((metadata.modified()?, metadata.len(), entry?.path()));
        }
        files.sort_unstable();
        for (_, size, path) in files {
            if taken <= self.limit {
                break;
            }
            let is_temporary = path
                .file_name()
                .is_none_or(|name| name.to_string_lossy().starts_with(super::TEMPORARY));
            let Some(file) = File::open(&path).ok().filter(|_| !is_temporary) else {
                continue;
            };
            if file.try_lock().is_ok() && std::fs::remove_file(&path).is_ok() {
                taken -= size;
            }
        }
        Ok(())
    }
}

/// The SHA-256 of what is left of a file.
fn hash_of(file: &mut File) -> Result<Hash, BlobError> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(cache: &Cache, content: &[u8]) -> (NamedTempFile, Hash) {
        let mut file = NamedTempFile::new_in(&cache.folder).unwrap();
        file.write_all(content).unwrap();
        (file, Sha256::digest(content).into())
    }

    fn cached(cache: &Cache) -> Vec<String> {
        let entries = std::fs::read_dir(&cache.folder).unwrap();
        let mut contents: Vec<String> = entries
            .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect();
        contents.sort_unstable();
        contents
    }

    #[test]
    fn the_cache_forgets_what_was_not_read_for_longest_but_nothing_that_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache {
            folder: folder.path().to_owned(),
            limit: 10,
        };
        let put = |content: &str, age: u64| {
            cache.make_room(content.len() as u64).unwrap();
            let (file, hash) = file(&cache, content.as_bytes());
            let held = cache.take_in(file, &hash).unwrap();
            let then = SystemTime::now() - Duration::from_secs(age);
            let times = FileTimes::new().set_modified(then);
            File::open(held.path()).unwrap().set_times(times).unwrap();
            (held, hash)
        };
        let (held, first) = put("aaaa", 30);
        let (second, _) = put("bbbb", 20);
        drop(second);
        // Room is made for the third: the oldest is being read, so the other one goes.
        let (third, _) = put("cccc", 10);
        assert_eq!(cached(&cache), ["aaaa", "cccc"]);
        drop((held, third));
        // Reading makes it young again.
        assert!(cache.hold(&first).unwrap().is_some());
        drop(put("dddd", 0));
        assert_eq!(cached(&cache), ["aaaa", "dddd"]);
        assert!(cache.hold(&[0; 32]).unwrap().is_none());
    }

    #[test]
    fn what_is_too_large_for_the_cache_is_gone_after_it_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache {
            folder: folder.path().to_owned(),
            limit: 3,
        };
        let (large, hash) = file(&cache, b"aaaa");
        let held = cache.take_in(large, &hash).unwrap();
        assert_eq!(std::fs::read(held.path()).unwrap(), b"aaaa");
        drop(held);
        assert_eq!(cached(&cache), [""; 0]);
    }

    #[test]
    fn another_content_than_the_name_says_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache {
            folder: folder.path().to_owned(),
            limit: 100,
        };
        let (file, _) = file(&cache, b"aaaa");
        let damaged = cache.take_in(file, &[7; 32]);
        assert!(matches!(damaged, Err(BlobError::Damaged)));
        assert_eq!(cached(&cache), [""; 0]);
    }
}
