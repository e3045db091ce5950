//! The name under which a command acts, and where that name was found.
//!
//! In this order: `--as`, `TOWLINE_USER`, the setting `user`, git's `user.name`, the name of the account.
//! What is empty, or nothing but spaces, counts as absent; only `--as` was typed for this one command, so an
//! empty one is refused and not passed over. That the account's name is used is said once in each project:
//! nobody chose it. Relies on the `git` program where there is one; never writes anything but that mark.

use std::env;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};
use serde::Deserialize;
use towline_proto::{Origin, OriginKind};

use super::context::Context;
use crate::api::request::{Failure, FailureCode};
use crate::home::files::PRIVATE_MODE;
use crate::home::{Home, HomeError};

/// The file that says that the account's name was mentioned.
const MENTIONED: &str = "account-name-said";

/// Where a name comes from.
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
            Self::Account => "the name of the account",
        }
    }
}

/// Nothing but spaces is no value.
pub(super) fn non_blank(text: String) -> Option<String> {
    (!text.trim().is_empty()).then_some(text)
}

/// A variable of the environment that has a value.
pub(in crate::cli) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().and_then(non_blank)
}

impl Context {
    /// Who asks. When that is nobody but the account, it is said, once in each project.
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
            let message = format!("{} cannot be used as a name: {error}", source.words());
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

    /// Says under which name this is done. The mark is made first: where none can be made nothing is written
    /// either, and nobody is told with every command.
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
                "note: you act here as {:?}, the name of your account, because git has no user.name; \
                 `towline config user NAME` sets another",
                super::render::text::clean(name)
            ));
        }
    }
}

/// What of the configuration says who acts.
#[derive(Deserialize)]
struct UserSetting {
    user: Option<String>,
}

/// The setting `user`. A file that cannot be read may name somebody: nobody else is put in their place.
fn configured(root: &Path) -> Result<Option<String>, Failure> {
    let path = Home::at(root).config_file();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(HomeError::io("read", &path)(error).into()),
    };
    // Not the whole configuration: who acts does not hang on its other settings.
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

/// What the system calls whoever runs this. Containers often run as a number that has no name.
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
    use crate::cli::tests::{ctx, typed};

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
