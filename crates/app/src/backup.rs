//! Backups: one archive with the database as it was at one moment, the uploaded files, and a manifest with the size
//! and the SHA-256 of each.
//!
//! The archive is a plain `tar`, so it can be read without Rollbook. The database is copied first: whatever file it
//! speaks of was there before, because files are kept before an import is written down. A backup is checked before it
//! gets its name, and again before anything of it is restored.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use rollbook_store::StoreError;
use rollbook_store::upkeep::{Counts, Inspection};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tar::{Archive, Builder, EntryType, Header};
use tempfile::NamedTempFile;

use crate::blobs::{Blobs, Hash, hex};
use crate::config::Config;
use crate::wire::rfc3339;
use crate::{clock, disk};

/// The form of the archive; one with a higher number was made by a newer program.
const FORM: u32 = 1;

/// The name of the database in the archive.
const DATABASE: &str = "rollbook.db";

/// What the names of uploaded files begin with in the archive.
const FILES: &str = "files/";

/// The name of the manifest; it is the last entry.
const MANIFEST: &str = "manifest.json";

/// More than any manifest needs: a million files.
const LARGEST_MANIFEST: u64 = 256 << 20;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The form of the archive.
    pub(crate) form: u32,
    /// The version of the program that made it.
    pub(crate) rollbook: String,
    /// When, in UTC.
    pub(crate) made_at: String,
    /// The version of the database's schema.
    pub(crate) schema: u32,
    /// How much the database holds.
    pub(crate) counts: Held,
    /// The bucket in which uploaded files stay, if they are not in the archive.
    pub(crate) bucket: Option<String>,
    /// Everything in the archive but the manifest, by its name.
    pub(crate) entries: BTreeMap<String, Entry>,
}

/// One file of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its bytes.
    pub(crate) size: u64,
    /// The SHA-256 of its content.
    pub(crate) sha256: String,
}

/// How much a database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    workspaces: u64,
    pub(crate) contacts: u64,
    pub(crate) attempts: u64,
    imports: u64,
    people: u64,
}

impl From<Counts> for Held {
    fn from(counts: Counts) -> Held {
        Held {
            workspaces: counts.workspaces,
            contacts: counts.contacts,
            attempts: counts.attempts,
            imports: counts.imports,
            people: counts.people,
        }
    }
}

impl Manifest {
    /// Uploaded files in the archive.
    pub(crate) fn files(&self) -> usize {
        self.entries.len().saturating_sub(1)
    }
}

/// Makes a backup, of a running installation as well. The file must not be there, unless it may be replaced.
pub(crate) async fn make(config: &Config, to: &Path, replace: bool) -> anyhow::Result<Manifest> {
    ensure!(
        replace || !to.exists(),
        "`{}` exists already; name another file, or use --force to replace it",
        to.display()
    );
    let database = rollbook_store::path_of(&config.database)?;
    ensure!(
        database.is_file(),
        "there is no database at `{}`; name it with --database",
        database.display()
    );
    let folder = disk::folder_of(to);
    let room = tempfile::Builder::new()
        .prefix(".rollbook-backup-")
        .tempdir_in(&folder)
        .with_context(|| {
            format!(
                "`{}` cannot be written to; choose another folder",
                folder.display()
            )
        })?;
    let copy = room.path().join(DATABASE);
    rollbook_store::copy(database, copy.clone())
        .await
        .context("the database cannot be copied")?;
    let found = sound(copy.clone()).await?;
    let (config, to) = (config.clone(), to.to_owned());
    on_disk(move || {
        let archive = NamedTempFile::new_in(room.path())?;
        let written = write(&archive, &copy, &config, &found)?;
        let read = verify(archive.path())?;
        ensure!(
            read == written,
            "the backup is not what was written; check the disk and make it again"
        );
        if replace {
            archive.persist(&to)?;
        } else {
            archive.persist_noclobber(&to)?;
        }
        File::open(disk::folder_of(&to))?.sync_all()?;
        Ok(written)
    })
    .await
}

/// Looks through a database that is to be kept or restored; an error if it is damaged.
async fn sound(database: PathBuf) -> anyhow::Result<Inspection> {
    let found = rollbook_store::inspect(database, true).await?;
    if found.version > found.known {
        let (found, known) = (found.version, found.known);
        return Err(StoreError::Newer { found, known }.into());
    }
    if let Some(damage) = found.damage.first() {
        bail!(
            "the database is damaged: {damage}; run `rollbook doctor`, and keep your older backups"
        );
    }
    Ok(found)
}

fn write(
    archive: &NamedTempFile,
    database: &Path,
    config: &Config,
    found: &Inspection,
) -> anyhow::Result<Manifest> {
    let mut manifest = Manifest {
        form: FORM,
        rollbook: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: rfc3339(clock::now()),
        schema: found.version,
        counts: found.counts.into(),
        bucket: config.bucket.as_ref().map(|bucket| bucket.name.clone()),
        entries: BTreeMap::new(),
    };
    let mut tar = Builder::new(BufWriter::new(archive.as_file()));
    let entry = append(&mut tar, DATABASE, File::open(database)?)?;
    manifest.entries.insert(DATABASE.to_owned(), entry);
    if manifest.bucket.is_none() && config.files.is_dir() {
        for file in std::fs::read_dir(&config.files)? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            if !is_hash(&name) {
                continue;
            }
            let content = match File::open(file.path()) {
                // Its time was over in this moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                content => content?,
            };
            let name = format!("{FILES}{name}");
            let entry = append(&mut tar, &name, content)?;
            manifest.entries.insert(name, entry);
        }
    }
    let json = serde_json::to_vec_pretty(&manifest)?;
    let mut header = header(json.len() as u64);
    tar.append_data(&mut header, MANIFEST, &*json)?;
    tar.into_inner()?.flush()?;
    archive.as_file().sync_all()?;
    Ok(manifest)
}

fn append(tar: &mut Builder<impl Write>, name: &str, file: File) -> anyhow::Result<Entry> {
    let size = file.metadata()?.len();
    let mut reader = Hashing {
        inner: BufReader::new(file).take(size),
        hasher: Sha256::new(),
        size: 0,
    };
    let mut header = header(size);
    tar.append_data(&mut header, name, &mut reader)?;
    ensure!(
        reader.size == size,
        "`{name}` became shorter while it was read; make the backup again"
    );
    Ok(reader.entry())
}

/// Of a file that only its owner may read.
fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(u64::try_from(clock::now().0 / 1000).unwrap_or(0));
    header
}

/// Whether a name is one of an uploaded file.
fn is_hash(name: &str) -> bool {
    name.len() == 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Reads all of a backup and compares it with its manifest.
pub(crate) fn verify(path: &Path) -> anyhow::Result<Manifest> {
    let damaged = |what: String| {
        anyhow::anyhow!(
            "`{}` is no whole backup: {what}; use another one",
            path.display()
        )
    };
    let file = File::open(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
    let mut archive = Archive::new(BufReader::new(file));
    let mut found = BTreeMap::new();
    let mut manifest: Option<Manifest> = None;
    let entries = archive.entries()?;
    for entry in entries {
        let mut entry = entry.map_err(|error| damaged(error.to_string()))?;
        let name = entry.path_bytes();
        let name = String::from_utf8_lossy(&name).into_owned();
        if manifest.is_some() {
            return Err(damaged(format!("`{name}` stands behind the manifest")));
        }
        if name == MANIFEST {
            let mut json = Vec::new();
            let read = entry.by_ref().take(LARGEST_MANIFEST).read_to_end(&mut json);
            read.map_err(|error| damaged(error.to_string()))?;
            let read = serde_json::from_slice(&json);
            manifest = Some(read.map_err(|error| damaged(format!("its manifest: {error}")))?);
            continue;
        }
        let is_ours = name == DATABASE || name.strip_prefix(FILES).is_some_and(is_hash);
        if !is_ours || entry.header().entry_type() != EntryType::Regular {
            return Err(damaged(format!("`{name}` does not belong into it")));
        }
        let mut reader = Hashing {
            inner: &mut entry,
            hasher: Sha256::new(),
            size: 0,
        };
        let copied = io::copy(&mut reader, &mut io::sink());
        copied.map_err(|error| damaged(format!("`{name}`: {error}")))?;
        found.insert(name, reader.entry());
    }
    let manifest = manifest.ok_or_else(|| damaged("its manifest is missing".to_owned()))?;
    ensure!(
        manifest.form <= FORM,
        "`{}` was made by a newer Rollbook ({}); install that one",
        path.display(),
        manifest.rollbook
    );
    for (name, entry) in &manifest.entries {
        match found.remove(name) {
            Some(there) if there == *entry => {}
            Some(_) => return Err(damaged(format!("`{name}` is not what was written"))),
            None => return Err(damaged(format!("`{name}` is missing"))),
        }
    }
    if let Some((name, _)) = found.pop_first() {
        return Err(damaged(format!("`{name}` is not in its manifest")));
    }
    if !manifest.entries.contains_key(DATABASE) {
        return Err(damaged(format!("`{DATABASE}` is missing")));
    }
    Ok(manifest)
}

/// Checks a backup as a restore would, and writes nothing that stays.
pub(crate) async fn check(path: &Path) -> anyhow::Result<Manifest> {
    let room = tempfile::tempdir()?;
    let (manifest, _) = unpack_database(path, room.path()).await?;
    Ok(manifest)
}

/// Puts a backup in the place that the settings name. A database that is there is replaced only if it may be, and not
/// while anybody has it open.
pub(crate) async fn restore(
    config: &Config,
    path: &Path,
    replace: bool,
) -> anyhow::Result<Manifest> {
    let database = rollbook_store::path_of(&config.database)?;
    ensure!(
        replace || !database.exists(),
        "`{}` exists already; name another place with --database, or stop Rollbook and use --force to replace it",
        database.display()
    );
    let folder = disk::folder_of(&database);
    let room = tempfile::Builder::new()
        .prefix(".rollbook-restore-")
        .tempdir_in(&folder)
        .with_context(|| {
            format!(
                "`{}` cannot be written to; create it first",
                folder.display()
            )
        })?;
    let (manifest, copy) = unpack_database(path, room.path()).await?;
    let blobs = Blobs::open(config)?;
    restore_files(path, &manifest, &config.files, &blobs).await?;
    match rollbook_store::replace(copy, database.clone()).await {
        Err(StoreError::Busy) => bail!(
            "another process has `{}` open; stop Rollbook and try again",
            database.display()
        ),
        replaced => replaced?,
    }
    Ok(manifest)
}

/// Verifies a backup and takes its database out, into a folder.
async fn unpack_database(path: &Path, folder: &Path) -> anyhow::Result<(Manifest, PathBuf)> {
    let (path, copy) = (path.to_owned(), folder.join(DATABASE));
    let to = copy.clone();
    let manifest = on_disk(move || {
        let manifest = verify(&path)?;
        let mut archive = Archive::new(BufReader::new(File::open(&path)?));
        for entry in archive.entries()? {
            let mut entry = entry?;
            if entry.path_bytes().as_ref() == DATABASE.as_bytes() {
                let mut file = File::create_new(&to)?;
                io::copy(&mut entry, &mut file)?;
                file.sync_all()?;
                return Ok(manifest);
            }
        }
        bail!("`{}` changed while it was read; try again", path.display())
    })
    .await?;
    let found = sound(copy.clone()).await?;
    ensure!(
        Held::from(found.counts) == manifest.counts && found.version == manifest.schema,
        "the database in the backup does not hold what its manifest says; use another backup"
    );
    Ok((manifest, copy))
}

/// Keeps the uploaded files of a backup, one after the other. They are named by their content: what is there already
/// is the same.
async fn restore_files(
    path: &Path,
    manifest: &Manifest,
    folder: &Path,
    blobs: &Blobs,
) -> anyhow::Result<()> {
    if manifest.files() == 0 {
        return Ok(());
    }
    let (give, mut given) = tokio::sync::mpsc::channel::<(NamedTempFile, Hash)>(1);
    let (path, folder) = (path.to_owned(), folder.to_owned());
    let reading = on_disk(move || {
        let mut archive = Archive::new(BufReader::new(File::open(&path)?));
        for entry in archive.entries()? {
            let mut entry = entry?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let Some(name) = name.strip_prefix(FILES) else {
                continue;
            };
            let mut file = NamedTempFile::new_in(&folder)?;
            let mut reader = Hashing {
                inner: &mut entry,
                hasher: Sha256::new(),
                size: 0,
            };
            io::copy(&mut reader, &mut file)?;
            let hash: Hash = reader.hasher.finalize().into();
            ensure!(
                hex(&hash) == name,
                "the file `{name}` of the backup has another content than its name says; remove it from the folder of \
                 files and make the backup again"
            );
            if give.blocking_send((file, hash)).is_err() {
                break; // Whoever keeps them has failed, and says why.
            }
        }
        Ok(())
    });
    let keeping = async {
        while let Some((file, hash)) = given.recv().await {
            blobs.keep(file, &hash).await?;
        }
        anyhow::Ok(())
    };
    let (read, kept) = tokio::join!(reading, keeping);
    kept?;
    read
}

/// A reader that knows what it has read.
struct Hashing<R> {
    inner: R,
    hasher: Sha256,
    size: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        self.size += read as u64;
        Ok(read)
    }
}

impl<R> Hashing<R> {
    fn entry(self) -> Entry {
        Entry {
            size: self.size,
            sha256: hex(&self.hasher.finalize().into()),
        }
    }
}

/// Does work on the disk where it may block.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}
