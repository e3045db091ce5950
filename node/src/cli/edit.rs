//! `edit N` without options: the description in the editor that people chose.
//!
//! The text that the editor began with is sent along as the base of the edit, so that only the
//! difference is written and what others wrote in the meantime stays. When anything goes wrong after
//! somebody has typed, the file stays where it is and its path is said.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::context::{Context, HOME};
use super::{Ask, envelope};
use crate::request::{Edit, Failure, FailureCode, Reply, Request};

/// Opens the description of `item` and sends what became of it; `None` when nothing did.
pub(super) fn in_editor(ctx: &Context, ask: &mut dyn Ask, item: &str) -> Result<Option<Reply>, Failure> {
    let origin = ctx.origin()?;
    let show = Request::Show {
        item: item.to_owned(),
    };
    let Reply::Page(page) = ask.ask(envelope(ctx, None, show))? else {
        return Err(failed("the node did not answer with an item".into()));
    };
    let draft = Draft::begin(ctx, &page.card.key, &page.body)?;
    let text = draft.edited(ctx)?;
    let text = same_ending(&page.body, text);
    if text == page.body {
        draft.finish();
        return Ok(None);
    }
    let edit = Request::Edit(Edit {
        // The id, because a number may come to mean two items while the editor is open.
        item: page.card.id.to_string(),
        body: Some(text),
        body_base: Some(page.body),
        ..Edit::default()
    });
    match ask.ask(envelope(ctx, Some(origin), edit)) {
        Ok(reply) => {
            draft.finish();
            Ok(Some(reply))
        }
        Err(mut failure) => {
            failure.message = format!(
                "{}. What you wrote is in {}",
                failure.message,
                draft.path.display()
            );
            Err(failure)
        }
    }
}

struct Draft {
    path: PathBuf,
}

impl Draft {
    fn begin(ctx: &Context, key: &str, body: &str) -> Result<Self, Failure> {
        let key: String = key.chars().filter(char::is_ascii_hexdigit).collect();
        let name = format!("edit-{key}-{}.md", std::process::id());
        let path = ctx.root()?.join(HOME).join(name);
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(body.as_bytes())
        };
        write().map_err(|error: std::io::Error| {
            failed(format!("the draft {} cannot be written: {error}", path.display()))
        })?;
        Ok(Self { path })
    }

    /// Runs the editor. When it fails, nothing of it counts.
    fn edited(&self, ctx: &Context) -> Result<String, Failure> {
        let editor = ctx.editor.as_deref().unwrap_or("vi");
        // Through the shell, because people put options there: EDITOR="code --wait".
        let ended = Command::new("sh")
            .arg("-c")
            .arg(format!("{editor} \"$1\""))
            .arg("towline-editor")
            .arg(&self.path)
            .status();
        match ended {
            Ok(status) if status.success() => {}
            Ok(status) => {
                self.remove();
                return Err(failed(format!(
                    "the editor `{editor}` ended with {status}; nothing was written"
                )));
            }
            Err(error) => {
                self.remove();
                return Err(failed(format!(
                    "the editor `{editor}` cannot be started: {error}; set EDITOR"
                )));
            }
        }
        read(&self.path)
    }

    fn finish(self) {
        self.remove();
    }

    fn remove(&self) {
        // A draft that stays behind does no harm, and the edit itself is done.
        let _ = fs::remove_file(&self.path);
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        failed(format!(
            "the draft {} cannot be read: {error}; nothing was written",
            path.display()
        ))
    })
}

/// Editors end a file with a line feed that nobody typed.
fn same_ending(before: &str, mut after: String) -> String {
    if !before.ends_with('\n') && after.ends_with('\n') {
        after.pop();
    }
    after
}

fn failed(message: String) -> Failure {
    Failure::new(FailureCode::Failure, message)
}

#[cfg(test)]
mod tests {
    use super::same_ending;

    #[test]
    fn the_editors_own_line_feed_is_not_an_edit() {
        assert_eq!(same_ending("a", "a\n".into()), "a");
        assert_eq!(same_ending("a\n", "a\n".into()), "a\n");
        assert_eq!(same_ending("", "\n".into()), "");
        assert_eq!(same_ending("a", "b\n\n".into()), "b\n");
    }
}
