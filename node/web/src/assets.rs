//! The style sheet and scripts, embedded in the binary: there is no build step and no file to lose.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::guard::text;

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

fn find(file: &str) -> Option<(&'static str, &'static str)> {
    match file {
        "board.css" => Some((CSS, include_str!("assets/board.css"))),
        "board.js" => Some((JS, include_str!("assets/board.js"))),
        "item.css" => Some((CSS, include_str!("assets/item.css"))),
        "item.js" => Some((JS, include_str!("assets/item.js"))),
        "menu.js" => Some((JS, include_str!("assets/menu.js"))),
        "drag.js" => Some((JS, include_str!("assets/drag.js"))),
        "list.js" => Some((JS, include_str!("assets/list.js"))),
        "palette.js" => Some((JS, include_str!("assets/palette.js"))),
        "live.js" => Some((JS, include_str!("assets/live.js"))),
        "worker.js" => Some((JS, include_str!("assets/worker.js"))),
        "icon.svg" => Some(("image/svg+xml", include_str!("assets/icon.svg"))),
        _ => None,
    }
}

/// `/assets/{file}`
pub(super) async fn serve(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let Some((form, body)) = find(&file) else {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    };
    let tag = format!("\"{}\"", &blake3::hash(body.as_bytes()).to_hex()[..16]);
    let known = text(&headers, header::IF_NONE_MATCH)
        .is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
    // Modules import each other by plain names, so that a new binary is noticed by asking again,
    // which costs an empty answer.
    let about = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    if known {
        (StatusCode::NOT_MODIFIED, about).into_response()
    } else {
        (about, [(header::CONTENT_TYPE, form)], body).into_response()
    }
}
