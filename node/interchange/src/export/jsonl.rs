//! JSON Lines: one item a line, schema [`towline.export/v1`](towline_api::export_line), the same bytes on every
//! replica that holds the same entries.
//!
//! Lines are ordered by (time of creation, number), fields in the order of the struct, and
//! every value in a line follows from the admitted entries alone: no position of the local feed, no
//! time of arrival, nothing relative to now, nothing about the signer. Two nodes in sync can
//! therefore be compared with `cmp`, an export can be kept under version control, and imported into
//! an empty project it gives the same bytes again. Writes to what it is given and nowhere else.

use std::io::{self, Write};

use towline_api::export_line::{ItemLine, SettingsLine};

/// Writes lines in the order in which they come; how many there were.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(lines: impl IntoIterator<Item = ItemLine>, out: &mut impl Write) -> io::Result<usize> {
    let mut count = 0;
    for line in lines {
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
        count += 1;
    }
    out.flush()?;
    Ok(count)
}

/// Writes the settings of the project, which come before its items.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write_settings(line: &SettingsLine, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
