//! The sessions and the port of the board, stored in the home for the next start.
//!
//! Neither ever prevents a start: without them people sign in again, or open another address.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use towline_api::request::Failure;
use towline_proto::Millis;
use towline_store::home::sessions::{self, SessionRecord};
use towline_store::home::{Config, Home, files};
use towline_web::{SessionStore, StoredSession};

use crate::server::failed;

/// The file with the port of the board.
const BOARD_PORT_FILE: &str = "board-port";

/// The sessions in the home of a node.
#[derive(Debug)]
pub(super) struct HomeSessions(pub(super) Home);

impl SessionStore for HomeSessions {
    fn load(&self) -> Vec<StoredSession> {
        let stored = sessions::read(&self.0).unwrap_or_else(|error| {
            tracing::warn!(%error, "the sessions of the board were not read");
            Vec::new()
        });
        let session = |SessionRecord { hash, who, until }| StoredSession { hash, who, until };
        stored.into_iter().map(session).collect()
    }

    fn save(&self, open: &[StoredSession]) {
        let record = |session: &StoredSession| SessionRecord {
            hash: session.hash.clone(),
            who: session.who.clone(),
            until: Millis(session.until.0),
        };
        if let Err(error) = sessions::write(&self.0, open.iter().map(record).collect()) {
            tracing::warn!(%error, "the sessions of the board were not saved; after a restart people sign in again");
        }
    }
}

/// Binds the address of the board. If the configuration leaves the port open, that of the last run is tried first, so
/// that a page that is open still finds its node. If a port is in use, a free one is taken: two projects on one machine
/// are the common case.
pub(super) async fn bind(home: &Home, wanted: SocketAddr) -> Result<TcpListener, Failure> {
    let file = home.dir().join(BOARD_PORT_FILE);
    let saved = std::fs::read_to_string(&file)
        .ok()
        .and_then(|text| text.trim().parse::<u16>().ok())
        .filter(|port| *port != 0)
        .map(|port| SocketAddr::new(wanted.ip(), port));
    let listener = first_free(saved, wanted).await?;
    let port = listener.local_addr().map(|address| address.port()).ok();
    if let Some(port) = port
        && saved.map(|address| address.port()) != Some(port)
        && let Err(error) = files::write_atomic(&file, port.to_string().as_bytes(), files::PRIVATE_MODE)
    {
        tracing::warn!(%error, "the port of the board was not saved; after a restart it may be another one");
    }
    Ok(listener)
}

async fn first_free(saved: Option<SocketAddr>, wanted: SocketAddr) -> Result<TcpListener, Failure> {
    let is_open = wanted.port() == 0 || wanted == Config::default().board;
    let free = SocketAddr::new(wanted.ip(), 0);
    let (first, second) = if is_open {
        (saved, Some(wanted))
    } else {
        (Some(wanted), saved)
    };
    for address in [first, second].into_iter().flatten() {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            // A port of an earlier configuration proves nothing; the wanted address must be possible.
            Err(_) if Some(address) == saved && address != wanted => {}
            Err(error) => return Err(failed(&format!("the board at {address}"), &error)),
        }
    }
    TcpListener::bind(free)
        .await
        .map_err(|error| failed("the board", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_port_of_the_last_run_is_used_again_where_the_configuration_leaves_it_open() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        std::fs::create_dir(home.dir()).unwrap();
        let open: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let first = bind(&home, open).await.unwrap();
        let address = first.local_addr().unwrap();
        drop(first);
        let again = bind(&home, open).await.unwrap();
        assert_eq!(again.local_addr().unwrap(), address);
        // Somebody else has it now.
        let other = bind(&home, open).await.unwrap().local_addr().unwrap();
        assert_ne!(other, address);
        // An address that was configured comes first.
        drop(again);
        let chosen = bind(&home, address).await.unwrap();
        assert_eq!(chosen.local_addr().unwrap(), address);
    }
}
