//! Who is signed in: one-time codes, sessions and their CSRF tokens.
//!
//! Tokens come from one secret that is drawn when the process starts, so that handing one out can
//! neither fail nor repeat. Only hashes of tokens are kept, and they are compared as BLAKE3 hashes,
//! which takes the same time wherever they differ. Sessions are stored where a [`SessionStore`] keeps
//! them, so that they survive a restart; codes are not. The CSRF token of a session is derived from its
//! own token alone, so that a form from before a restart is still good.

use std::collections::HashMap;
use std::fmt::Debug;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use blake3::Hash;
use towline_proto::Millis;

/// How long a one-time code is good for.
const CODE_LIFE: Duration = Duration::from_secs(10 * 60);
/// How long a session lasts, in seconds.
const SESSION_LIFE_S: u64 = 30 * 24 * 60 * 60;
/// Codes that may be out at once; the oldest is dropped for a new one.
const CODES: usize = 64;
/// Sessions at once; the oldest is dropped for a new one.
pub const MAX_SESSIONS: usize = 1_024;
/// What the hash of a session's token is derived for.
const SESSION_CONTEXT: &str = "towline 2026-12-01 board session";
/// What the CSRF token of a session is derived for.
const CSRF_CONTEXT: &str = "towline 2026-12-01 board form";

/// A session as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// The hash of its token, in hex.
    pub hash: String,
    /// Who is signed in.
    pub who: String,
    /// When it ends.
    pub until: Millis,
}

/// Keeps sessions for the next start of the process.
pub trait SessionStore: Debug + Send + Sync {
    /// The sessions of the last run.
    fn load(&self) -> Vec<StoredSession>;

    /// Replaces what is stored. A failure is reported by the store; the sessions go on in memory.
    fn save(&self, sessions: &[StoredSession]);
}

/// A signed-in person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    /// Who, as the origin of what they do.
    pub(super) who: String,
    /// What their forms must send back.
    pub(super) csrf: String,
}

/// A one-time code.
#[derive(Debug)]
struct Code {
    who: String,
    until: Instant,
}

/// An open session.
#[derive(Debug)]
struct Open {
    who: String,
    until: Millis,
}

/// Codes and sessions.
pub(super) struct Sessions {
    cookie: String,
    secret: [u8; 32],
    drawn: AtomicU64,
    codes: Mutex<HashMap<Hash, Code>>,
    open: Mutex<HashMap<Hash, Open>>,
    store: Option<Arc<dyn SessionStore>>,
}

impl Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions")
            .field("cookie", &self.cookie)
            .finish_non_exhaustive()
    }
}

impl Sessions {
    pub(super) fn new(cookie: String, store: Option<Arc<dyn SessionStore>>, now: Millis) -> io::Result<Self> {
        let mut secret = [0u8; 32];
        getrandom::fill(&mut secret).map_err(|error| io::Error::other(error.to_string()))?;
        let stored = store.as_ref().map(|store| store.load()).unwrap_or_default();
        let still_open = stored.into_iter().filter(|session| session.until > now);
        let open = still_open.take(MAX_SESSIONS).filter_map(|session| {
            let hash = Hash::from_hex(&session.hash).ok()?;
            let StoredSession { who, until, .. } = session;
            Some((hash, Open { who, until }))
        });
        Ok(Self {
            cookie,
            secret,
            drawn: AtomicU64::new(0),
            codes: Mutex::default(),
            open: Mutex::new(open.collect()),
            store,
        })
    }

    /// A code that opens one session for `who`.
    pub(super) fn issue_code(&self, who: &str) -> String {
        let code = self.fresh("code");
        if let Ok(mut codes) = self.codes.lock() {
            let now = Instant::now();
            codes.retain(|_, code| code.until > now);
            make_room(&mut codes, CODES, |code| code.until);
            let (who, until) = (who.to_owned(), now + CODE_LIFE);
            codes.insert(blake3::hash(code.as_bytes()), Code { who, until });
        }
        code
    }

    /// Uses a code up: the value of the `Set-Cookie` header, or `None` for a code that is unknown,
    /// used or too old.
    pub(super) fn sign_in(&self, code: &str, now: Millis) -> Option<String> {
        let code = self.codes.lock().ok()?.remove(&blake3::hash(code.as_bytes()))?;
        if code.until <= Instant::now() {
            return None;
        }
        let token = self.fresh("token");
        let mut open = self.open.lock().ok()?;
        open.retain(|_, session| session.until > now);
        make_room(&mut open, MAX_SESSIONS, |session| session.until);
        let until = Millis(now.0.saturating_add(SESSION_LIFE_S * 1_000));
        let who = code.who;
        open.insert(session_hash(&token), Open { who, until });
        self.save(&open);
        let cookie = &self.cookie;
        Some(format!(
            "{cookie}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SESSION_LIFE_S}"
        ))
    }

    /// Ends the session of a `Cookie` header: the value of the `Set-Cookie` header.
    pub(super) fn sign_out(&self, cookies: &str) -> String {
        if let (Some(token), Ok(mut open)) = (self.token(cookies), self.open.lock())
            && open.remove(&session_hash(token)).is_some()
        {
            self.save(&open);
        }
        format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", self.cookie)
    }

    /// The session of a `Cookie` header.
    pub(super) fn find(&self, cookies: &str, now: Millis) -> Option<Session> {
        let token = self.token(cookies)?;
        let open = self.open.lock().ok()?;
        let session = open.get(&session_hash(token))?;
        (session.until > now).then(|| Session {
            who: session.who.clone(),
            csrf: Hash::from_bytes(blake3::derive_key(CSRF_CONTEXT, token.as_bytes()))
                .to_hex()
                .to_string(),
        })
    }

    /// A name that was never given out before, for a request that a form may send twice.
    pub(super) fn draw(&self) -> String {
        self.fresh("request")
    }

    /// Written while the sessions are locked, so that an older state never replaces a newer one.
    fn save(&self, open: &HashMap<Hash, Open>) {
        let Some(store) = &self.store else { return };
        let mut sessions: Vec<_> = open
            .iter()
            .map(|(hash, session)| StoredSession {
                hash: hash.to_hex().to_string(),
                who: session.who.clone(),
                until: session.until,
            })
            .collect();
        sessions.sort_by(|a, b| (a.until, &a.hash).cmp(&(b.until, &b.hash)));
        store.save(&sessions);
    }

    fn token<'a>(&self, cookies: &'a str) -> Option<&'a str> {
        cookies
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == self.cookie)
            .map(|(_, token)| token)
    }

    /// A text that nobody can guess and that is never given out twice.
    fn fresh(&self, purpose: &str) -> String {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed).to_string();
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        for part in [purpose, &count] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

fn session_hash(token: &str) -> Hash {
    Hash::from_bytes(blake3::derive_key(SESSION_CONTEXT, token.as_bytes()))
}

/// Drops what ends first from a full map.
fn make_room<T, U: Ord>(grants: &mut HashMap<Hash, T>, most: usize, until: impl Fn(&T) -> U) {
    if grants.len() < most {
        return;
    }
    let first = grants.iter().min_by_key(|(_, grant)| until(grant));
    if let Some(hash) = first.map(|(hash, _)| *hash) {
        grants.remove(&hash);
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

    const NOW: Millis = Millis(1_000);

    #[derive(Debug, Default)]
    struct Kept(Mutex<Vec<StoredSession>>);

    impl SessionStore for Kept {
        fn load(&self) -> Vec<StoredSession> {
            self.0.lock().unwrap().clone()
        }
        fn save(&self, sessions: &[StoredSession]) {
            *self.0.lock().unwrap() = sessions.to_vec();
        }
    }

    fn started(store: &Arc<Kept>) -> Sessions {
        let store = Arc::clone(store) as Arc<dyn SessionStore>;
        Sessions::new("t".into(), Some(store), NOW).unwrap()
    }

    #[test]
    fn a_code_signs_in_once() {
        let sessions = started(&Arc::default());
        let code = sessions.issue_code("ann");
        let set = sessions.sign_in(&code, NOW).expect("a fresh code");
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"));
        assert_eq!(sessions.sign_in(&code, NOW), None);
        let header = format!("other=1; {}", cookie(&set));
        assert_eq!(
            sessions.find(&header, NOW).map(|session| session.who),
            Some("ann".to_owned())
        );
        sessions.sign_out(&header);
        assert_eq!(sessions.find(&header, NOW), None);
    }

    #[test]
    fn codes_are_bounded_and_the_oldest_goes_first() {
        let sessions = started(&Arc::default());
        let first = sessions.issue_code("ann");
        let rest: Vec<_> = (0..CODES).map(|_| sessions.issue_code("bob")).collect();
        assert_eq!(sessions.sign_in(&first, NOW), None);
        assert!(sessions.sign_in(rest.last().unwrap(), NOW).is_some());
    }

    #[test]
    fn another_sessions_csrf_token_is_another() {
        let sessions = started(&Arc::default());
        let [ann, bob] = ["ann", "bob"].map(|who| {
            let set = sessions.sign_in(&sessions.issue_code(who), NOW).unwrap();
            sessions.find(cookie(&set), NOW).unwrap()
        });
        assert!(!same(&ann.csrf, &bob.csrf));
    }

    #[test]
    fn a_session_and_its_forms_survive_a_restart_until_it_ends_or_somebody_signs_out() {
        let store = Arc::default();
        let before = started(&store);
        let set = before.sign_in(&before.issue_code("ann"), NOW).unwrap();
        let header = cookie(&set);
        let session = before.find(header, NOW).unwrap();
        let kept = store.load();
        assert_eq!(kept.len(), 1);
        let token = header.split_once('=').unwrap().1;
        assert!(
            kept.iter().all(|session| session.hash != token),
            "only a hash is stored"
        );

        let after = started(&store);
        assert_eq!(after.find(header, NOW), Some(session));
        let end = kept[0].until;
        assert_eq!(after.find(header, end), None);
        after.sign_out(header);
        assert_eq!(started(&store).find(header, NOW), None);
        assert_eq!(store.load(), []);
    }

    #[test]
    fn sessions_are_bounded_also_when_they_are_stored() {
        let store: Arc<Kept> = Arc::default();
        let sessions = started(&store);
        for _ in 0..=MAX_SESSIONS {
            sessions.sign_in(&sessions.issue_code("ann"), NOW).unwrap();
        }
        assert_eq!(store.load().len(), MAX_SESSIONS);
        store.save(&[StoredSession {
            hash: "no hash".into(),
            who: "ann".into(),
            until: Millis(u64::MAX),
        }]);
        started(&store);
    }
}
