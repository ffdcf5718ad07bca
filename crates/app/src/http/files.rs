//! Files that are sent as they were uploaded, and the names that downloads get.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use rollbook_store::imports::{Import, ImportKind};
use tokio_util::io::ReaderStream;

use crate::app::App;
use crate::audit::{Act, Actor};
use crate::blobs::BlobError;
use crate::http::pages::show::encode;
use crate::http::router::Uncompressed;

/// How much of a file is read at a time.
const BUFFER: usize = 1 << 16;

/// The file of an import as it was uploaded. That it was taken is audited.
pub(crate) async fn original(
    app: &App,
    import: &Import,
    actor: &Actor,
) -> Result<Response, BlobError> {
    if import.kind != ImportKind::File {
        return Err(BlobError::Missing);
    }
    let kept = app.blobs.fetch(&import.file_hash).await?;
    let file = tokio::fs::File::open(kept.path()).await?;
    let size = file.metadata().await?.len();
    // Held until the last byte is read.
    let content = ReaderStream::with_capacity(file, BUFFER).inspect(move |_| _ = &kept);
    let about = format!("import {}, {}", import.id, import.file_name);
    app.audit(import.workspace, actor, Act::DownloadedFile, &about)
        .await
        .map_err(std::io::Error::other)?;
    let mut response = (
        [
            // Whatever it is, no browser shall show it as if it were ours.
            (CONTENT_TYPE, "application/octet-stream".to_owned()),
            (CONTENT_DISPOSITION, attachment(&import.file_name)),
            (CONTENT_LENGTH, size.to_string()),
            (CACHE_CONTROL, "no-store".to_owned()),
        ],
        Body::from_stream(content),
    )
        .into_response();
    response.extensions_mut().insert(Uncompressed);
    Ok(response)
}

/// `Content-Disposition` of a download with this name (RFC 6266): in ASCII for old programs, and as it is.
pub(crate) fn attachment(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = match name.trim_matches(['.', ' ']) {
        "" => "file",
        _ => name,
    };
    let plain: String = name
        .chars()
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | ' ' | '(' | ')' => character,
            _ => '_',
        })
        .collect();
    if plain == name {
        return format!("attachment; filename=\"{plain}\"");
    }
    format!(
        "attachment; filename=\"{plain}\"; filename*=UTF-8''{}",
        encode(name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_place_in_the_header() {
        for (name, expected) in [
            ("guests 1.csv", "attachment; filename=\"guests 1.csv\""),
            (
                "gäste.csv",
                "attachment; filename=\"g_ste.csv\"; filename*=UTF-8''g%C3%A4ste.csv",
            ),
            (
                "a\"; filename=\"b.exe\r\nX: y",
                "attachment; filename=\"a__ filename__b.exe__X_ y\"; \
                 filename*=UTF-8''a%22%3B%20filename%3D%22b.exe%0D%0AX%3A%20y",
            ),
            ("../../etc/passwd", "attachment; filename=\"passwd\""),
            ("..", "attachment; filename=\"file\""),
        ] {
            assert_eq!(attachment(name), expected);
        }
    }
}
