//! The server around a running [`Node`]: the socket for the command line, and the board.
//!
//! `towline up`, `towline serve` and the gateway use it. It ends on a request through the socket, on a
//! signal, or through its token. Then everything is stopped in order: first what accepts requests, then the
//! projects' threads, then the network.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use towline_api::request::{Failure, FailureCode, Reply};
use towline_api::types::TokenInfo;
use towline_proto::{Millis, Ticket};
use towline_socket::{BoundSocket, ControlHandler, NodeInfo};
use towline_store::home::Config;
use towline_store::home::tokens::{TokenError, TokenStore};
use towline_store::home::views::{StoredView, ViewStore};
use towline_web::{TokenCheck, TokenRefusal, ViewShelf, Web, WebConfig};

use crate::board_sessions::{HomeSessions, bind};
use crate::node::Node;

/// How long a join waits for the project's contents before it replies; the rest arrives later.
const JOIN_PATIENCE: Duration = Duration::from_secs(20);

/// Options of the board.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The title of the pages.
    pub title: String,
    /// Whether the first page shows all projects, also when there is only one.
    pub fleet: bool,
}

/// A node with its socket and its board.
#[derive(Debug)]
pub struct Server {
    node: Arc<Node>,
    board: String,
    web: Arc<Web>,
    stop: CancellationToken,
    tasks: JoinSet<Result<(), Failure>>,
}

struct NodeControls {
    node: Arc<Node>,
    web: Arc<Web>,
    board: String,
}

/// The API tokens in the node's home.
#[derive(Debug)]
struct HomeTokens(TokenStore);

impl TokenCheck for HomeTokens {
    fn known_id(&self, shown: &str) -> Option<String> {
        self.0.known_id(shown)
    }

    fn check(&self, shown: &str, now: Millis) -> Result<TokenInfo, TokenRefusal> {
        self.0.check(shown, now).map_err(|error| match error {
            TokenError::Unknown | TokenError::Expired => TokenRefusal::Refused(error.to_string()),
            TokenError::Unreadable(_) => {
                tracing::error!(%error, "programs cannot use the API");
                let why = "the API tokens of this node cannot be read; the log of the node says why and what to do. \
                           Until then no program can use the API";
                TokenRefusal::Unavailable(why.to_owned())
            }
        })
    }
}

/// The saved views in the node's home.
#[derive(Debug)]
struct HomeViews(ViewStore);

impl ViewShelf for HomeViews {
    fn list(&self, project: &str, who: &str) -> Result<Vec<(String, String)>, String> {
        let views = self.0.list(project, who).map_err(|error| error.to_string())?;
        Ok(views.into_iter().map(|view| (view.name, view.query)).collect())
    }

    fn save(&self, project: &str, who: &str, name: String, query: String) -> Result<(), String> {
        let view = StoredView { name, query };
        self.0.save(project, who, view).map_err(|error| error.to_string())
    }
}

impl ControlHandler for NodeControls {
    fn join(&self, ticket: String) -> Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send + '_>> {
        Box::pin(async move {
            let ticket: Ticket = ticket
                .parse()
                .map_err(|why| Failure::new(FailureCode::Usage, format!("{why}")))?;
            // Waits for a moment, so that the reply shows the project and not an empty one.
            self.node.join_and_wait(&ticket, JOIN_PATIENCE).await
        })
    }

    fn login(&self, who: &str) -> Result<Reply, Failure> {
        Ok(Reply::Link {
            url: self.web.login_link(&self.board, who),
        })
    }

    fn set_socket(&self, socket: &Path) {
        self.node.set_socket(socket);
    }
}

impl Server {
    /// Serves a node's socket and board. Both accept connections when this returns.
    ///
    /// # Errors
    /// When neither the configured port nor a free one can be bound, or the socket cannot be created.
    pub async fn start(node: Arc<Node>, config: &Config, options: ServerOptions) -> Result<Self, Failure> {
        let listener = bind(node.home(), config.board).await?;
        let address = listener
            .local_addr()
            .map_err(|error| failed("the board's address", &error))?;
        let board = format!("http://{address}");
        let web_config = WebConfig {
            title: options.title,
            allowed_hosts: std::iter::once(address.to_string())
                .chain(config.allowed_hosts.iter().cloned())
                .collect(),
            fleet: options.fleet,
            tokens: Some(Arc::new(HomeTokens(TokenStore::of(node.home())))),
            sessions: Some(Arc::new(HomeSessions(node.home().clone()))),
            views: Some(Arc::new(HomeViews(ViewStore::of(node.home())))),
        };
        let web = Web::new(node.handle().clone(), web_config).map_err(|error| failed("the board", &error))?;
        let socket = BoundSocket::bind(node.home())?;
        let stop = CancellationToken::new();
        let info = NodeInfo {
            node: node.handle().me(),
            pid: std::process::id(),
            board: Some(board.clone()),
        };
        let controls = NodeControls {
            node: Arc::clone(&node),
            web: Arc::clone(&web),
            board: board.clone(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(towline_socket::serve(
            socket,
            node.home().clone(),
            node.handle().clone(),
            info,
            Arc::new(controls),
            stop.clone(),
        ));
        let (router, until) = (towline_web::router(Arc::clone(&web)), stop.clone());
        tasks.spawn(async move {
            towline_web::serve(listener, router, until)
                .await
                .map_err(|error| failed("the board", &error))
        });
        Ok(Self {
            node,
            board,
            web,
            stop,
            tasks,
        })
    }

    /// The address of the board.
    pub fn board(&self) -> &str {
        &self.board
    }

    /// A link that signs a person in to the board, once.
    pub fn login_link(&self, who: &str) -> String {
        self.web.login_link(&self.board, who)
    }

    /// The node.
    pub const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Cancelling this token stops everything.
    pub const fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Waits for the end, then stops everything in order.
    ///
    /// # Errors
    /// When a part failed.
    pub async fn run(mut self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        tokio::select! {
            () = self.stop.cancelled() => {}
            why = self.node.fatal() => outcome = Err(why),
            () = termination_signal() => tracing::info!("stopping because of a signal"),
            Some(ended) = self.tasks.join_next() => outcome = flatten(ended),
        }
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            outcome = outcome.and(flatten(ended));
        }
        self.node.stop().await;
        outcome
    }
}

fn flatten(ended: Result<Result<(), Failure>, tokio::task::JoinError>) -> Result<(), Failure> {
    ended.unwrap_or_else(|error| {
        Err(Failure::new(
            FailureCode::Failure,
            format!("a part of the node panicked: {error}"),
        ))
    })
}

pub(crate) fn failed(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(FailureCode::Failure, format!("cannot serve {what}: {error}"))
}

/// Ends at the first SIGINT, SIGTERM or SIGHUP. From the call on, and not only while somebody waits, these signals do
/// not end the process. A node that was started with `nohup` continues to ignore SIGHUP.
pub(crate) fn termination_signal() -> impl Future<Output = ()> + Send {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let mut hangup = match ignores_hangup() {
        true => None,
        false => signal(SignalKind::hangup()).ok(),
    };
    async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            return std::future::pending().await;
        };
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hung_up => {}
        }
    }
}

/// Whether this process was started with SIGHUP ignored: the first bit of `SigIgn`.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let bits = ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.is_some_and(|bits| bits & 1 == 1)
}
