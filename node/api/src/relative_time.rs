//! Relative times: how long ago something was, for pages and sentences.
//!
//! Times are arguments; nothing here reads a clock. Relative times are only shown and decide nothing.

use towline_proto::Millis;

/// How long ago, in the largest unit that fits: `now`, `5m`, `3h`, `2d`, `6w`, `2y`.
pub fn ago(now: Millis, at: Millis) -> String {
    let minutes = now.since(at) / 60_000;
    match minutes {
        0 => "now".into(),
        1..=59 => format!("{minutes}m"),
        60..=1_439 => format!("{}h", minutes / 60),
        1_440..=20_159 => format!("{}d", minutes / 1_440),
        20_160..=1_048_319 => format!("{}w", minutes / 10_080),
        _ => format!("{}y", minutes / 525_600),
    }
}

/// The same as a phrase: `just now`, `3h ago`.
pub fn ago_phrase(now: Millis, at: Millis) -> String {
    match ago(now, at).as_str() {
        "now" => "just now".into(),
        time => format!("{time} ago"),
    }
}
