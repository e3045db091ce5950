//! Keeps one device of one account logged in.
//!
//! The access token and the device id are stored in a file that only the gateway's user can read. Keeping the
//! device matters most: a homeserver drops repeated transaction ids per device, so with a new device after a
//! restart, messages that were in flight would appear twice.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{Mutex, RwLock};

use super::client::{Call, MatrixClient, MatrixError};
use super::wire::{LoginResponse, WhoamiResponse};
use crate::config;
use crate::store::StoreError;

/// The session file in the gateway's folder.
const FILE: &str = "matrix-session.json";
/// Maximum wait between two attempts to log in, in seconds.
const LOGIN_RETRY_S: u64 = 60;

/// Why an account cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// A call to the homeserver failed.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// The session or token file cannot be used.
    #[error("cannot use {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configured access token is invalid, and there is no password.
    #[error("the homeserver rejected the access token in {0}; replace it with a valid one")]
    Token(PathBuf),
    /// The room is encrypted. Nothing is sent there unencrypted, because its members expect their messages to be
    /// confidential.
    #[error("the room {0} is encrypted; nothing is sent to it")]
    Encrypted(String),
    /// The settings of a room cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Clone, Serialize, Deserialize)]
struct MatrixSession {
    homeserver: String,
    user_id: String,
    device_id: String,
    access_token: String,
}

impl std::fmt::Debug for MatrixSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MatrixSession({} {})", self.user_id, self.device_id)
    }
}

/// One device of one account.
#[derive(Debug)]
pub(crate) struct Account {
    client: MatrixClient,
    config: config::MatrixConfig,
    path: PathBuf,
    session: RwLock<Option<MatrixSession>>,
    login_lock: Mutex<()>,
}

impl Account {
    /// An account whose session is stored in a folder. It does not connect yet.
    ///
    /// # Errors
    /// When the address is invalid, or TLS cannot be set up.
    pub(crate) fn new(config: config::MatrixConfig, dir: &Path) -> Result<Self, AccountError> {
        Ok(Self {
            client: MatrixClient::new(&config.homeserver)?,
            path: dir.join(FILE),
            config,
            session: RwLock::new(None),
            login_lock: Mutex::new(()),
        })
    }

    /// Our user id, once logged in.
    pub(crate) async fn user_id(&self) -> Option<String> {
        self.session
            .read()
            .await
            .as_ref()
            .map(|session| session.user_id.clone())
    }

    /// Makes a call as this account. Logs in if needed, and logs in again if the homeserver rejects the token.
    pub(crate) async fn call_with<T, F, R>(&self, run: F) -> Result<T, AccountError>
    where
        F: Fn(MatrixClient, String) -> R + Send,
        R: Future<Output = Result<T, MatrixError>> + Send,
    {
        let token = self.token(None).await?;
        match run(self.client.clone(), token.clone()).await {
            Err(error) if error.is_unknown_token() => {
                let token = self.token(Some(&token)).await?;
                Ok(run(self.client.clone(), token).await?)
            }
            result => Ok(result?),
        }
    }

    /// The access token, which is not `stale`.
    async fn token(&self, stale: Option<&str>) -> Result<String, AccountError> {
        let is_valid = |session: &MatrixSession| Some(session.access_token.as_str()) != stale;
        if let Some(session) = self
            .session
            .read()
            .await
            .as_ref()
            .filter(|session| is_valid(session))
        {
            return Ok(session.access_token.clone());
        }
        let _guard = self.login_lock.lock().await;
        if let Some(session) = self
            .session
            .read()
            .await
            .as_ref()
            .filter(|session| is_valid(session))
        {
            return Ok(session.access_token.clone());
        }
        let session = match &self.config.token_file {
            Some(path) => self.with_token(path).await?,
            None => self.with_password(stale).await?,
        };
        let token = session.access_token.clone();
        tracing::info!(user = session.user_id, device = session.device_id, "logged in");
        *self.session.write().await = Some(session);
        Ok(token)
    }

    async fn with_token(&self, path: &Path) -> Result<MatrixSession, AccountError> {
        let text = std::fs::read_to_string(path).map_err(|source| AccountError::File {
            path: path.to_owned(),
            source,
        })?;
        let access_token = text.trim().to_owned();
        let whoami = self.whoami(&access_token).await.map_err(|error| {
            if error.is_unknown_token() {
                return AccountError::Token(path.to_owned());
            }
            error.into()
        })?;
        Ok(MatrixSession {
            homeserver: self.config.homeserver.clone(),
            user_id: whoami.user_id,
            device_id: whoami.device_id.unwrap_or_default(),
            access_token,
        })
    }

    async fn with_password(&self, stale: Option<&str>) -> Result<MatrixSession, AccountError> {
        let saved = self.saved_session();
        if let Some(session) = &saved
            && Some(session.access_token.as_str()) != stale
        {
            match self.whoami(&session.access_token).await {
                Ok(_) => return Ok(session.clone()),
                Err(error) if error.is_unknown_token() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let password = self
            .config
            .password
            .as_ref()
            .map(config::ConfigSecret::reveal)
            .unwrap_or_default();
        let mut body = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": self.config.user },
            "password": password,
            "initial_device_display_name": "towline gateway",
        });
        if let Some(session) = saved {
            body["device_id"] = json!(session.device_id);
        }
        let call = Call::new(Method::POST, &["login"]).body(body);
        let login: LoginResponse = self.client.call(None, call).await?.value;
        let session = MatrixSession {
            homeserver: self.config.homeserver.clone(),
            user_id: login.user_id,
            device_id: login.device_id,
            access_token: login.access_token,
        };
        self.save_session(&session)?;
        Ok(session)
    }

    async fn whoami(&self, token: &str) -> Result<WhoamiResponse, MatrixError> {
        let call = Call::new(Method::GET, &["account", "whoami"]);
        Ok(self.client.call(Some(token), call).await?.value)
    }

    /// The session of an earlier run, if it belongs to the configured account.
    fn saved_session(&self) -> Option<MatrixSession> {
        let session: MatrixSession = serde_json::from_slice(&std::fs::read(&self.path).ok()?).ok()?;
        let local = session.user_id.trim_start_matches('@').split(':').next();
        let same_user = session.user_id == self.config.user || local == Some(self.config.user.as_str());
        (same_user && session.homeserver == self.config.homeserver).then_some(session)
    }

    fn save_session(&self, session: &MatrixSession) -> Result<(), AccountError> {
        let write = || {
            let partial = self.path.with_extension("new");
            let mut file = std::fs::OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .mode(0o600)
                .open(&partial)?;
            file.write_all(&serde_json::to_vec(session).map_err(std::io::Error::other)?)?;
            file.sync_all()?;
            std::fs::rename(partial, &self.path)
        };
        write().map_err(|source| AccountError::File {
            path: self.path.clone(),
            source,
        })
    }
}

/// The wait after `attempt` failed attempts to reach the homeserver.
pub(crate) fn backoff(attempt: u32) -> Duration {
    Duration::from_millis(500 << attempt.min(7)).min(Duration::from_secs(LOGIN_RETRY_S))
}
