//! The user name of a command, and where it comes from.
//!
//! In this order: `--as`, `TOWLINE_USER`, the setting `user`, git's `user.name`, the account's name. An empty or
//! blank value counts as absent, except for `--as`: it was typed for this command, so an empty one is refused.
//! The first time that a project falls back to the account's name, a note says so. Runs `git` if there is one;
//! writes nothing but a marker file for that note.

use std::env;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};
use serde::Deserialize;
use towline_api::request::{Failure, FailureCode};
use towline_proto::{Origin, OriginKind};
use towline_store::home::files::PRIVATE_MODE;
use towline_store::home::{Home, HomeError};

use super::context::Context;

/// The marker file of the note about the account's name.
const MENTIONED: &str = "account-name-said";

/// Where the user name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameSource {
    Flag,
    Variable,
    Setting,
    Git,
    Account,
}

impl NameSource {
    const fn words(self) -> &'static str {
        match self {
            Self::Flag => "--as",
            Self::Variable => "TOWLINE_USER",
            Self::Setting => "the setting `user`",
            Self::Git => "git's user.name",
            Self::Account => "the account's name",
        }
    }
}

/// The text, unless it is blank.
pub(super) fn non_blank(text: String) -> Option<String> {
    (!text.trim().is_empty()).then_some(text)
}

/// The value of an environment variable, unless it is blank.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().and_then(non_blank)
}

/// The value of an environment variable, which may be blank.
pub(crate) fn variable_as_set(name: &str) -> Option<String> {
    env::var(name).ok()
}

impl Context {
    /// The origin of the command's changes. Prints a note, once per project, when the name is the account's.
    ///
    /// # Errors
    /// When the name cannot be used.
    pub fn origin(&self) -> Result<Origin, Failure> {
        let kind = if self.global.agent {
            OriginKind::Agent
        } else {
            OriginKind::User
        };
        let (name, source) = self.name()?;
        if source == NameSource::Account {
            self.mention_account_name(&name);
        }
        Origin::new(kind, name).map_err(|error| {
            let message = format!("cannot use {} as user name: {error}", source.words());
            Failure::new(FailureCode::Usage, message)
        })
    }

    fn name(&self) -> Result<(String, NameSource), Failure> {
        if let Some(name) = &self.global.name {
            return Ok((name.clone(), NameSource::Flag));
        }
        if let Some(name) = self.user.clone().and_then(non_blank) {
            return Ok((name, NameSource::Variable));
        }
        if let Ok(root) = self.root()
            && let Some(name) = configured(&root)?
        {
            return Ok((name, NameSource::Setting));
        }
        let from_git = git_user_name(&self.dir).map(|name| (name, NameSource::Git));
        Ok(from_git.unwrap_or_else(|| (account_name(), NameSource::Account)))
    }

    /// Prints the note about the account's name. The marker file is made first, so that a project that cannot be
    /// written does not print the note with every command.
    fn mention_account_name(&self, name: &str) {
        if self.global.quiet || self.global.dry_run {
            return;
        }
        let Ok(root) = self.root() else { return };
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(PRIVATE_MODE)
            .open(Home::at(root).dir().join(MENTIONED));
        if made.is_ok() {
            self.say(&format!(
                "note: your user name here is {:?}, the name of your account, because git has no user.name; \
                 run `towline config user NAME` to set another",
                super::render::text::clean(name)
            ));
        }
    }
}

/// The part of the configuration that is needed here.
#[derive(Deserialize)]
struct UserSetting {
    user: Option<String>,
}

/// The setting `user`. A file that cannot be read is an error, because it may name a user.
fn configured(root: &Path) -> Result<Option<String>, Failure> {
    let path = Home::at(root).config_file();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(HomeError::io("read", &path)(error).into()),
    };
    // Not the whole configuration: an error in another setting does not matter here.
    let read: UserSetting = toml::from_str(&text).map_err(|error| HomeError::Invalid {
        path,
        why: error.to_string(),
    })?;
    Ok(read.user.and_then(non_blank))
}

fn git_user_name(dir: &Path) -> Option<String> {
    let asked = Command::new("git")
        .args(["config", "user.name"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let name = String::from_utf8(asked.stdout).ok()?;
    non_blank(name.trim().to_owned())
}

/// The name of the account. Containers often run as a user id without a name.
fn account_name() -> String {
    let me = Uid::effective();
    let known = User::from_uid(me).ok().flatten().map(|user| user.name);
    known
        .and_then(non_blank)
        .or_else(|| variable("USER"))
        .or_else(|| variable("LOGNAME"))
        .unwrap_or_else(|| format!("user-{me}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tests::{ctx, typed};

    /// A project whose setting `user` is as given, in a folder of a repository that has no name to give.
    fn project(user: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(".towline")).unwrap();
        let text = format!("user = {}\n", toml::Value::String(user.to_owned()));
        fs::write(folder.path().join(".towline/config.toml"), text).unwrap();
        let made = Command::new("git")
            .args(["init", "-q"])
            .arg(folder.path())
            .status();
        assert!(made.unwrap().success());
        folder
    }

    #[test]
    fn what_is_empty_is_passed_over_and_the_next_one_asked() {
        let folder = project("  ");
        let mut ctx = ctx(&typed(&["-q", "ready"]), folder.path());
        ctx.user = Some(" ".to_owned());
        let set = |name: &str| {
            let mut git = Command::new("git");
            git.args(["config", "user.name", name]).current_dir(folder.path());
            assert!(git.status().unwrap().success());
        };
        set(" ");
        assert_eq!(ctx.origin().unwrap().id, account_name());
        set("Grace");
        assert_eq!(ctx.origin().unwrap().id, "Grace");
        fs::write(folder.path().join(".towline/config.toml"), "user = \"carol\"\n").unwrap();
        assert_eq!(ctx.origin().unwrap().id, "carol");
        ctx.user = Some("dave".to_owned());
        assert_eq!(ctx.origin().unwrap().id, "dave");
        ctx.global.name = Some("eve".to_owned());
        assert_eq!(ctx.origin().unwrap().id, "eve");
        ctx.global.name = Some(String::new());
        assert!(ctx.origin().is_err(), "typed, and nobody");
    }

    #[test]
    fn a_name_that_cannot_be_used_says_where_it_comes_from() {
        let folder = project("z\u{7}e");
        let mut ctx = ctx(&typed(&["ready"]), folder.path());
        ctx.user = None;
        let refused = ctx.origin().unwrap_err();
        assert!(refused.message.contains("the setting `user`"), "{refused}");
        for text in ["user = bo\n", "user = 3\n"] {
            fs::write(folder.path().join(".towline/config.toml"), text).unwrap();
            let refused = ctx.origin().unwrap_err();
            assert!(
                refused.message.contains("config.toml"),
                "nobody else instead: {refused}"
            );
        }
    }
}
