//! The repository of issues, as given on the command line: `OWNER/NAME`, with the host before it where that is
//! not github.com, or its address.
//!
//! Only the form is looked at: nobody asks GitHub.

use std::str::FromStr;

/// Longest part of a name, in characters: more than GitHub allows.
const PART_CHARS: usize = 100;

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository(String);

impl Repository {
    /// `owner/name`, with the host before it where that is not github.com.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Repository {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("expected OWNER/NAME, or HOST/OWNER/NAME if it is not on github.com; got {text:?}");
        let rest = text
            .trim()
            .split_once("://")
            .map_or(text.trim(), |(_, rest)| rest);
        let rest = rest.trim_end_matches('/');
        let rest = rest.strip_suffix(".git").unwrap_or(rest);
        let parts: Vec<&str> = rest.split('/').collect();
        let is_name = |part: &&str| {
            let fits = (1..=PART_CHARS).contains(&part.len());
            fits && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        };
        if !parts.iter().all(is_name) {
            return Err(wrong());
        }
        match parts.as_slice() {
            ["github.com" | "www.github.com", owner, name] | [owner, name] => {
                Ok(Self(format!("{owner}/{name}")))
            }
            [host, owner, name] if host.contains('.') => {
                Ok(Self(format!("{}/{owner}/{name}", host.to_ascii_lowercase())))
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_said_in_any_of_these_ways() {
        let read = |text: &str| text.parse::<Repository>().map(|repository| repository.0);
        for text in [
            "acme/shop",
            " acme/shop ",
            "github.com/acme/shop",
            "https://github.com/acme/shop/",
            "https://github.com/acme/shop.git",
        ] {
            assert_eq!(read(text).as_deref(), Ok("acme/shop"), "{text}");
        }
        assert_eq!(read("Git.example.org/a/b").as_deref(), Ok("git.example.org/a/b"));
        for wrong in [
            "",
            "shop",
            "acme/",
            "acme//shop",
            "a b/c",
            "host/acme/shop",
            "a/b/c/d",
            "acme/sh\u{202e}op",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
