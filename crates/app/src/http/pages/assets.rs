//! Style sheet, scripts and icon: part of the binary, served under names that change with their content.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::access;
use crate::blobs::hex;
use crate::http::pages::error::PageError;

/// A file that pages load.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
}

macro_rules! asset {
    ($name:literal, $media_type:literal) => {
        Asset {
            name: $name,
            media_type: $media_type,
            content: include_str!(concat!("../../../assets/", $name)),
        }
    };
}

const ASSETS: [Asset; 8] = [
    asset!("style.css", "text/css; charset=utf-8"),
    asset!("page.js", "text/javascript; charset=utf-8"),
    asset!("log.js", "text/javascript; charset=utf-8"),
    asset!("upload.js", "text/javascript; charset=utf-8"),
    asset!("import.js", "text/javascript; charset=utf-8"),
    asset!("review.js", "text/javascript; charset=utf-8"),
    asset!("mapping.js", "text/javascript; charset=utf-8"),
    asset!("icon.svg", "image/svg+xml"),
];

/// The address of each file, in the same order: `/assets/1a2b3c4d5e6f/style.css`.
static URLS: LazyLock<Vec<String>> = LazyLock::new(|| {
    ASSETS
        .iter()
        .map(|asset| {
            let hash = hex(&access::hash_secret(asset.content));
            format!("/assets/{}/{}", &hash[..12], asset.name)
        })
        .collect()
});

/// The address of a file.
pub(crate) fn url(name: &str) -> &'static str {
    let position = ASSETS.iter().position(|asset| asset.name == name);
    position.map_or("", |position| URLS[position].as_str())
}

/// `GET /assets/{hash}/{name}`: forever the same content, so browsers may keep it for a year.
pub(super) async fn get(Path((hash, name)): Path<(String, String)>) -> Result<Response, PageError> {
    let asked = format!("/assets/{hash}/{name}");
    let Some(position) = URLS.iter().position(|url| *url == asked) else {
        return Err(PageError::NotFound("this file"));
    };
    let asset = &ASSETS[position];
    let headers = [
        (CONTENT_TYPE, asset.media_type),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, asset.content).into_response())
}
