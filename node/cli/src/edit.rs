//! `edit N` without options: edits the description in the user's editor.
//!
//! The original text is sent along as the base of the edit, so that only the difference is written and concurrent
//! edits are kept. When anything fails after the user has typed, the file is kept and its path is printed.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;

use towline_api::request::{self, Edit, Failure, FailureCode, Query, Reply, Request};
use towline_api::types::ItemPage;
use towline_proto::Origin;

use super::context::{Context, HOME};
use super::render::text::clean;
use super::{Backend, envelope};

/// A description that is being edited.
pub(super) struct Editing {
    page: Box<ItemPage>,
    origin: Origin,
}

/// Asks for the description of `item`. Nothing is locked while it is edited: without a node, the caller closes
/// the store after this.
pub(super) fn begin(ctx: &Context, backend: &mut dyn Backend, item: &str) -> Result<Editing, Failure> {
    let origin = ctx.origin()?;
    let page = one_page(ctx, backend, item.to_owned())?;
    Ok(Editing { page, origin })
}

/// The item that a name means. Fails with the choices if several items share the number.
pub(super) fn one_page(
    ctx: &Context,
    backend: &mut dyn Backend,
    item: String,
) -> Result<Box<ItemPage>, Failure> {
    let show = Request::Query(Query::Show { item: item.clone() });
    match backend.request(envelope(ctx, None, show))? {
        Reply::Page(page) => Ok(page),
        Reply::Pages(pages) => {
            let named = |page: &ItemPage| format!("{} ({})", page.card.handle, clean(&page.card.title));
            let names: Vec<_> = pages.iter().map(named).collect();
            let (wanted, count) = (clean(&item), pages.len());
            let message = format!("{wanted} matches {count} items; choose one: {}", names.join(", "));
            Err(Failure::new(FailureCode::NotFound, message))
        }
        _ => Err(failed(
            "unexpected reply from the node; it may run another version of towline".into(),
        )),
    }
}

impl Editing {
    /// Opens the editor and sends the new description; `None` if it was not changed.
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
        let edit = Request::Command(request::Command::Edit(Edit {
            // The id, because a number may come to mean two items while the editor is open.
            item: page.card.id.to_string(),
            body: Some(text),
            body_base: Some(page.body),
            ..Edit::default()
        }));
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
            failed(format!("cannot write the draft {}: {error}", path.display()))
        })?;
        Ok(Self { path })
    }

    /// Runs the editor. When it fails nothing is sent, and the draft is kept.
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
                format!("cannot start the editor `{editor}`; set EDITOR to another one")
            }
            Ok(status) => format!("the editor `{editor}` failed: {status}"),
            Err(error) => format!("cannot start the editor `{editor}`: {error}; set EDITOR to another one"),
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
                "cannot read the draft {}: {error}; nothing was written",
                self.path.display()
            ))
        })?;
        String::from_utf8(bytes).map_err(|_| {
            let kept = self.kept();
            failed(format!(
                "the edited text is not UTF-8; nothing was written. {kept}"
            ))
        })
    }

    fn kept(&self) -> String {
        format!("Your text is in {}", self.path.display())
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
