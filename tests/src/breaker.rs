//! A TCP proxy that can lose an answer: the request arrives, what came of it is never told.
//!
//! This is the one moment that matters to a sender that must neither lose nor repeat anything: after
//! the receiver has acted and before the sender knows. Cutting it here needs no hook in the sender.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What a request for a new message looks like on the wire.
const SEND: &[u8] = b"/send/m.room.message/";

/// A proxy in front of a homeserver. Ends when it is dropped.
#[derive(Debug)]
pub struct Breaker {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Shared {
    armed: AtomicBool,
    lost: Notify,
}

impl Breaker {
    /// A proxy to a port of this machine.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn to(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        let of_listener = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&of_listener);
                connections.spawn(async move {
                    // A connection that breaks is what this is for.
                    let _ = carry(client, port, &shared).await;
                });
            }
        });
        Ok(Self {
            address,
            shared,
            _tasks: tasks,
        })
    }

    /// Where the proxy listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, the answer to the next message that is sent is lost.
    pub fn lose_next_answer(&self) {
        self.shared.armed.store(true, Ordering::SeqCst);
    }

    /// Waits until an answer was lost: the message is in the room, and its sender does not know.
    pub async fn lost(&self) {
        self.shared.lost.notified().await;
    }
}

async fn carry(mut client: TcpStream, port: u16, shared: &Shared) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut up, mut down) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let mut losing = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let bytes = up.get(..read?).unwrap_or_default();
                if bytes.is_empty() {
                    return Ok(());
                }
                let sends = bytes.windows(SEND.len()).any(|window| window == SEND);
                losing |= sends && shared.armed.swap(false, Ordering::SeqCst);
                server.write_all(bytes).await?;
            }
            read = server.read(&mut down) => {
                let bytes = down.get(..read?).unwrap_or_default();
                if losing {
                    shared.lost.notify_one();
                    // The connection stays open and silent, as a broken network leaves it.
                    return std::future::pending().await;
                }
                if bytes.is_empty() {
                    return Ok(());
                }
                client.write_all(bytes).await?;
            }
        }
    }
}
