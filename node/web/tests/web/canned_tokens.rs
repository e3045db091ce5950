//! The API tokens of the canned board. Nothing is stored.

use towline_api::types::{Scope, TokenInfo};
use towline_proto::Millis;
use towline_web::{TokenCheck, TokenRefusal};

/// A write token `s3cret` of `coder-2`, a read token `r3ad`, and a token `0ld` that has expired.
#[derive(Debug)]
pub(crate) struct Tokens;

impl TokenCheck for Tokens {
    fn known_id(&self, shown: &str) -> Option<String> {
        shown.starts_with("s3cret").then(|| "s3cret".to_owned())
    }

    fn check(&self, shown: &str, now: Millis) -> Result<TokenInfo, TokenRefusal> {
        let scope = match shown {
            "s3cret" => Scope::Write,
            "r3ad" => Scope::Read,
            "0ld" => return Err(TokenRefusal::Refused("expired".into())),
            _ => return Err(TokenRefusal::Refused("unknown".into())),
        };
        Ok(TokenInfo {
            id: shown.to_owned(),
            name: "coder-2".to_owned(),
            scope,
            created: now,
            expires: None,
        })
    }
}
