//! Who is signed in: one-time codes, sessions and their CSRF tokens, in memory only.
//!
//! Tokens come from one secret that is drawn when the process starts, so that handing one out can
//! neither fail nor repeat. Only hashes of tokens are kept, and they are compared as BLAKE3 hashes,
//! which takes the same time wherever they differ.

use std::collections::HashMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use blake3::Hash;

/// How long a one-time code is good for.
const CODE_LIFE: Duration = Duration::from_secs(10 * 60);
/// How long a session lasts.
const SESSION_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Codes that may be out at once; the oldest is dropped for a new one.
const CODES: usize = 64;
/// Sessions at once; the oldest is dropped for a new one.
const SESSIONS: usize = 1_024;

/// A signed-in person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    /// Who, as the origin of what they do.
    pub(super) who: String,
    /// What their forms must send back.
    pub(super) csrf: String,
}

/// Something that somebody may show until a time.
#[derive(Debug)]
struct Grant {
    who: String,
    until: Instant,
}

/// Codes and sessions.
pub(super) struct Sessions {
    cookie: String,
    secret: [u8; 32],
    drawn: AtomicU64,
    codes: Mutex<HashMap<Hash, Grant>>,
    open: Mutex<HashMap<Hash, Grant>>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions")
            .field("cookie", &self.cookie)
            .finish_non_exhaustive()
    }
}

impl Sessions {
    pub(super) fn new(cookie: String) -> io::Result<Self> {
        let mut secret = [0u8; 32];
        getrandom::fill(&mut secret).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self {
            cookie,
            secret,
            drawn: AtomicU64::new(0),
            codes: Mutex::default(),
            open: Mutex::default(),
        })
    }

    /// A code that opens one session for `who`.
    pub(super) fn issue_code(&self, who: &str) -> String {
        self.issue(&self.codes, who, CODE_LIFE, CODES)
    }

    /// Uses a code up: the value of the `Set-Cookie` header, or `None` for a code that is unknown,
    /// used or too old.
    pub(super) fn sign_in(&self, code: &str) -> Option<String> {
        let grant = self.codes.lock().ok()?.remove(&blake3::hash(code.as_bytes()))?;
        if grant.until <= Instant::now() {
            return None;
        }
        let token = self.issue(&self.open, &grant.who, SESSION_LIFE, SESSIONS);
        Some(format!(
            "{}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}",
            self.cookie,
            SESSION_LIFE.as_secs()
        ))
    }

    /// Ends the session of a `Cookie` header: the value of the `Set-Cookie` header.
    pub(super) fn sign_out(&self, cookies: &str) -> String {
        if let (Some(token), Ok(mut open)) = (self.token(cookies), self.open.lock()) {
            open.remove(&blake3::hash(token.as_bytes()));
        }
        format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", self.cookie)
    }

    /// The session of a `Cookie` header.
    pub(super) fn find(&self, cookies: &str) -> Option<Session> {
        let token = self.token(cookies)?;
        let open = self.open.lock().ok()?;
        let grant = open.get(&blake3::hash(token.as_bytes()))?;
        (grant.until > Instant::now()).then(|| Session {
            who: grant.who.clone(),
            csrf: self.derive(&["csrf", token]),
        })
    }

    fn token<'a>(&self, cookies: &'a str) -> Option<&'a str> {
        cookies
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == self.cookie)
            .map(|(_, token)| token)
    }

    fn issue(&self, grants: &Mutex<HashMap<Hash, Grant>>, who: &str, life: Duration, most: usize) -> String {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed);
        let token = self.derive(&["token", &count.to_string()]);
        if let Ok(mut grants) = grants.lock() {
            let now = Instant::now();
            grants.retain(|_, grant| grant.until > now);
            if grants.len() >= most
                && let Some(oldest) = grants
                    .iter()
                    .min_by_key(|(_, grant)| grant.until)
                    .map(|(hash, _)| *hash)
            {
                grants.remove(&oldest);
            }
            let grant = Grant {
                who: who.to_owned(),
                until: now + life,
            };
            grants.insert(blake3::hash(token.as_bytes()), grant);
        }
        token
    }

    fn derive(&self, parts: &[&str]) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// Whether two secrets are the same, without telling how much of them is.
pub(super) fn same(a: &str, b: &str) -> bool {
    blake3::hash(a.as_bytes()) == blake3::hash(b.as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn cookie(set_cookie: &str) -> &str {
        set_cookie.split(';').next().unwrap()
    }

    #[test]
    fn a_code_signs_in_once() {
        let sessions = Sessions::new("t".into()).unwrap();
        let code = sessions.issue_code("ann");
        let set = sessions.sign_in(&code).expect("a fresh code");
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"));
        assert_eq!(sessions.sign_in(&code), None);
        let header = format!("other=1; {}", cookie(&set));
        assert_eq!(
            sessions.find(&header).map(|session| session.who),
            Some("ann".to_owned())
        );
        sessions.sign_out(&header);
        assert_eq!(sessions.find(&header), None);
    }

    #[test]
    fn codes_are_bounded_and_the_oldest_goes_first() {
        let sessions = Sessions::new("t".into()).unwrap();
        let first = sessions.issue_code("ann");
        let rest: Vec<_> = (0..CODES).map(|_| sessions.issue_code("bob")).collect();
        assert_eq!(sessions.sign_in(&first), None);
        assert!(sessions.sign_in(rest.last().unwrap()).is_some());
    }

    #[test]
    fn another_sessions_csrf_token_is_another() {
        let sessions = Sessions::new("t".into()).unwrap();
        let [ann, bob] = ["ann", "bob"].map(|who| {
            let set = sessions.sign_in(&sessions.issue_code(who)).unwrap();
            sessions.find(cookie(&set)).unwrap()
        });
        assert!(!same(&ann.csrf, &bob.csrf));
    }
}
