//! Files that are sent as they were uploaded, and the names that downloads get.

use std::io;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use rollbook_store::imports::{Import, ImportKind};
use tokio_util::io::ReaderStream;

use crate::app::App;
use crate::http::pages::show::encode;
use crate::http::router::Uncompressed;

/// The file of an import as it was uploaded; none if there was no file, or if it is not kept any more.
pub(crate) async fn original(app: &App, import: &Import) -> io::Result<Option<Response>> {
    if import.kind != ImportKind::File {
        return Ok(None);
    }
    let file = match tokio::fs::File::open(app.file_path(&import.file_hash)).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut response = (
        [
            // Whatever it is, no browser shall show it as if it were ours.
            (CONTENT_TYPE, "application/octet-stream".to_owned()),
            (CONTENT_DISPOSITION, attachment(&import.file_name)),
            (CONTENT_LENGTH, file.metadata().await?.len().to_string()),
            (CACHE_CONTROL, "no-store".to_owned()),
        ],
        Body::from_stream(ReaderStream::with_capacity(file, 1 << 16)),
    )
        .into_response();
    response.extensions_mut().insert(Uncompressed);
    Ok(Some(response))
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
