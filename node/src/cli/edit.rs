//! `edit N` without options: the description in the editor that people chose.
//!
//! The text that the editor began with is sent along as the base of the edit, so that only the
//! difference is written and what others wrote in the meantime stays. When anything goes wrong after
//! somebody has typed, the file stays where it is and its path is said.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;

use towline_proto::Origin;

use super::context::{Context, HOME};
use super::render::text::clean;
use super::{Backend, envelope};
use crate::api::request::{Edit, Failure, FailureCode, Reply, Request};
use crate::api::types::ItemPage;

/// The description of an item on its way through an editor.
pub(super) struct Editing {
    page: Box<ItemPage>,
    origin: Origin,
}

/// Asks for the description of `item`. Nobody is kept out while it is edited: whoever asks for the
/// store itself lets go of it after this.
pub(super) fn begin(ctx: &Context, backend: &mut dyn Backend, item: &str) -> Result<Editing, Failure> {
    let origin = ctx.origin()?;
    let page = one_page(ctx, backend, item.to_owned())?;
    Ok(Editing { page, origin })
}

/// The one item that is meant; of a number that several share the names to choose from.
pub(super) fn one_page(
    ctx: &Context,
    backend: &mut dyn Backend,
    item: String,
) -> Result<Box<ItemPage>, Failure> {
    let show = Request::Show { item: item.clone() };
    match backend.request(envelope(ctx, None, show))? {
        Reply::Page(page) => Ok(page),
        Reply::Pages(pages) => {
            let named = |page: &ItemPage| format!("{} ({})", page.card.handle, clean(&page.card.title));
            let names: Vec<_> = pages.iter().map(named).collect();
            let (wanted, count) = (clean(&item), pages.len());
            let message = format!("{wanted} is {count} items; name one: {}", names.join(", "));
            Err(Failure::new(FailureCode::NotFound, message))
        }
        _ => Err(failed("the node did not answer with an item".into())),
    }
}

impl Editing {
    /// Opens the editor and sends what became of the description; `None` when nothing did.
    pub(super) fn finish<'a>(
        self,
        ctx: &Context,
        connect: impl FnOnce() -> Result<Box<dyn Backend + 'a>, Failure>,
    ) -> Result<Option<Reply>, Failure> {
        let Self { page, origin } = self;
        let draft = Draft::begin(ctx, &page.card.key, &page.body)?;
        let text = same_ending(&page.body, draft.edited(ctx, &page.body)?);
        if text == page.body {
            draft.remove();
            return Ok(None);
        }
        let edit = Request::Edit(Edit {
            // The id, because a number may come to mean two items while the editor is open.
            item: page.card.id.to_string(),
            body: Some(text),
            body_base: Some(page.body),
            ..Edit::default()
        });
        let sent = connect().and_then(|mut backend| backend.request(envelope(ctx, Some(origin), edit)));
        match sent {
            Ok(reply) => {
                draft.remove();
                Ok(Some(reply))
            }
            Err(mut failure) => {
                failure.message = format!("{}. {}", failure.message, draft.kept());
                Err(failure)
            }
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

    /// Runs the editor. When it fails nothing of it counts, and what was typed is kept.
    fn edited(&self, ctx: &Context, before: &str) -> Result<String, Failure> {
        let editor = ctx.editor.as_deref().unwrap_or("vi");
        // Through the shell, because people put options there: EDITOR="code --wait".
        let ended = Command::new("sh")
            .arg("-c")
            .arg(format!("{editor} \"$1\""))
            .arg("towline-editor")
            .arg(&self.path)
            .status();
        let why = match ended {
            Ok(status) if status.success() => return self.read(),
            // What the shell says of a program that is not there, or is none.
            Ok(status) if matches!(status.code(), Some(126 | 127)) => {
                format!("the editor `{editor}` cannot be started; set EDITOR to one that can")
            }
            Ok(status) => format!("the editor `{editor}` ended with {status}"),
            Err(error) => format!("the editor `{editor}` cannot be started: {error}; set EDITOR"),
        };
        let untouched = fs::read(&self.path).is_ok_and(|bytes| bytes == before.as_bytes());
        if untouched {
            self.remove();
            return Err(failed(format!("{why}; nothing was written")));
        }
        Err(failed(format!("{why}; nothing was written. {}", self.kept())))
    }

    fn read(&self) -> Result<String, Failure> {
        let bytes = fs::read(&self.path).map_err(|error| {
            failed(format!(
                "the draft {} cannot be read: {error}; nothing was written",
                self.path.display()
            ))
        })?;
        String::from_utf8(bytes).map_err(|_| {
            let kept = self.kept();
            failed(format!(
                "what the editor left is no text (UTF-8); nothing was written. {kept}"
            ))
        })
    }

    fn kept(&self) -> String {
        format!("What you wrote is in {}", self.path.display())
    }

    fn remove(&self) {
        // A draft that stays behind does no harm, and the edit itself is done.
        let _ = fs::remove_file(&self.path);
    }
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
