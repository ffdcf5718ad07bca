//! Disks, rights, and the place of uploaded files.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::{Findings, database_bytes};
use crate::blobs::{BlobError, Blobs, Hash};
use crate::config::Config;
use crate::disk;
use crate::http::pages::show::bytes;

/// With less room than this, writing ends soon.
const TOO_LITTLE: u64 = 200 << 20;

/// With less than this somebody should look.
const LITTLE: u64 = 2 << 30;

/// Room on the disks of the database and of uploaded files.
pub(super) fn room(findings: &mut Findings, config: &Config) {
    let mut places = vec![("the files", config.files.clone())];
    if let Ok(path) = rollbook_store::path_of(&config.database) {
        places.insert(0, ("the database", disk::folder_of(&path)));
    }
    let database = database_bytes(config);
    for (what, mut place) in places {
        // What is made later is made where its parent is.
        if !place.exists() {
            place = disk::folder_of(&place);
        }
        let Some(free) = disk::free(&place) else {
            findings.fail(
                "disk",
                format!(
                    "the place of {what}, `{}`, cannot be looked at; create it, or check its rights",
                    place.display()
                ),
            );
            continue;
        };
        let mut text = format!("{} free for {what}", bytes(free));
        if free < TOO_LITTLE {
            let _ = write!(text, "; make room now, or nothing can be written soon");
            findings.fail("disk", text);
        } else if free < LITTLE || free < database {
            let _ = write!(
                text,
                "; make room: backups and large imports need as much as the database has, {}",
                bytes(database)
            );
            findings.warn("disk", text);
        } else {
            findings.well("disk", text);
        }
    }
}

/// Whether others on this machine can read what only Rollbook should.
pub(super) fn rights(findings: &mut Findings, config: &Config) {
    let mut open = Vec::new();
    let mut look = |path: &Path| {
        let mode = std::fs::metadata(path).map_or(0, |about| about.permissions().mode());
        if mode & 0o004 != 0 {
            open.push(path.display().to_string());
        }
    };
    if let Ok(path) = rollbook_store::path_of(&config.database) {
        // Whoever cannot enter the folder cannot read the file.
        let folder = disk::folder_of(&path);
        let closed =
            std::fs::metadata(&folder).is_ok_and(|about| about.permissions().mode() & 0o001 == 0);
        if !closed {
            look(&path);
        }
    }
    if open.is_empty() {
        findings.well("rights", "nobody else on this machine reads the database");
    } else {
        findings.warn(
            "rights",
            format!(
                "everybody on this machine can read `{}`; run Rollbook as a user of its own and take the right away with \
                 `chmod o-r`, or `chmod 750` its folder",
                open.join("`, `")
            ),
        );
    }
}

/// Writes a file where uploaded files are kept, reads it, and deletes it.
pub(super) async fn files(findings: &mut Findings, config: &Config) {
    let name = "files";
    if config.bucket.is_none() && !config.files.is_dir() {
        findings.well(
            name,
            format!(
                "`{}` is made when the first file is kept",
                config.files.display()
            ),
        );
        return;
    }
    match try_out(config).await {
        Ok(()) => {
            let place = match &config.bucket {
                Some(bucket) => format!("the bucket `{}`", bucket.name),
                None => format!("`{}`", config.files.display()),
            };
            findings.well(
                name,
                format!("{place} can be written, read and deleted from"),
            );
        }
        Err(error) => findings.fail(name, error.with_cause()),
    }
}

async fn try_out(config: &Config) -> Result<(), BlobError> {
    let blobs = Blobs::open(config)?;
    let mut content = [0; 32];
    // Whatever stands there, it has to be read again.
    let _ = getrandom::fill(&mut content);
    let hash: Hash = Sha256::digest(content).into();
    let mut file = NamedTempFile::new_in(&config.files)?;
    file.write_all(&content)?;
    blobs.keep(file, &hash).await?;
    let read = async {
        let kept = blobs.fetch(&hash).await?;
        Ok::<_, BlobError>(std::fs::read(kept.path())?)
    };
    let read = read.await;
    // It must go, whatever came of reading it.
    blobs.delete(&hash).await?;
    if read? == content {
        Ok(())
    } else {
        Err(BlobError::Damaged)
    }
}
