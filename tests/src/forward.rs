//! A port of this machine that leads to where a server happens to listen.
//!
//! A server that is told its port in a file cannot be handed an open one, and a free port that is looked for and
//! closed again may be somebody else's a moment later. So the test holds a port open, the server takes one itself,
//! and whoever connects is led there. Whoever connects while the server is away is hung up on.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread;

/// The port. It is closed when this is dropped; connections end with their ends.
#[derive(Debug)]
pub struct Forward {
    port: u16,
    /// The port of the server; 0 while there is none.
    server: Arc<AtomicU16>,
    closed: Arc<AtomicBool>,
}

impl Forward {
    /// A port that leads nowhere yet.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let forward = Self {
            port: listener.local_addr()?.port(),
            server: Arc::default(),
            closed: Arc::default(),
        };
        let (server, closed) = (Arc::clone(&forward.server), Arc::clone(&forward.closed));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if closed.load(Ordering::SeqCst) {
                    break;
                }
                // A server that is away hangs up on its client, which is the answer.
                let _ = carry(client, server.load(Ordering::SeqCst));
            }
        });
        Ok(forward)
    }

    /// Its number.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on it leads to this port; 0 is none.
    pub fn lead_to(&self, server: u16) {
        self.server.store(server, Ordering::SeqCst);
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        // Wakes the listener, which then ends.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// Copies both ways, in a thread each, until one end closes.
fn carry(client: TcpStream, server: u16) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    let (from_client, to_client) = (client.try_clone()?, client);
    let (from_server, to_server) = (server.try_clone()?, server);
    thread::spawn(move || copy(from_client, to_server));
    thread::spawn(move || copy(from_server, to_client));
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    // Neither end is to wait for what does not come any more.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// The port on which a process listens, once it does.
pub fn listening_port(pid: u32) -> Option<u16> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let links = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let sockets: Vec<String> = links
        .filter_map(|link| {
            Some(
                link.to_str()?
                    .strip_prefix("socket:[")?
                    .strip_suffix(']')?
                    .to_owned(),
            )
        })
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).ok()?;
    table.lines().find_map(|line| {
        // Number, own address, other address, state, and the inode as the tenth; 0A is a listener.
        let columns: Vec<&str> = line.split_whitespace().collect();
        let is_ours = columns.get(3) == Some(&"0A")
            && sockets
                .iter()
                .any(|inode| columns.get(9) == Some(&inode.as_str()));
        let port = columns.get(1)?.rsplit_once(':')?.1;
        is_ours.then(|| u16::from_str_radix(port, 16).ok()).flatten()
    })
}
