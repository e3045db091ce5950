//! A member whose software is hostile: bare libp2p, and whatever bytes it likes on the stream.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::{Multiaddr, StreamProtocol, noise, tcp, yamux};
use tokio::time::timeout;

use super::cast::{Actor, SOON, befriend, id, keypair, reaches, start};

const SYNC: StreamProtocol = StreamProtocol::new("/towline/sync/1");

struct Mallory {
    swarm: Swarm<libp2p_stream::Behaviour>,
}

impl Mallory {
    fn new(seed: u8) -> Self {
        let swarm = libp2p::SwarmBuilder::with_existing_identity(keypair(seed))
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|_| libp2p_stream::Behaviour::new())
            .unwrap()
            .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(60)))
            .build();
        Self { swarm }
    }

    /// Connects, sends bytes on the sync stream and waits until it is hung up on.
    async fn attack(&mut self, victim: &Actor, bytes: &[u8]) {
        let address: Multiaddr = victim.net.addresses().remove(0).parse().unwrap();
        let victim = keypair(1).public().to_peer_id();
        let mut control = self.swarm.behaviour().new_control();
        let mut accepts = control.accept(SYNC).unwrap();
        self.swarm.dial(address).unwrap();
        let mut talk = Box::pin(async {
            // Whoever has the smaller id opens; either side of the stream can be abused.
            let mut stream = if id(6) < id(1) {
                control.open_stream(victim, SYNC).await.unwrap()
            } else {
                accepts.next().await.unwrap().1
            };
            stream.write_all(bytes).await.unwrap();
            stream.flush().await.unwrap();
            let mut rest = Vec::new();
            // It ends, cleanly or not.
            let _ = stream.read_to_end(&mut rest).await;
        });
        timeout(SOON, async {
            let mut open = 0u32;
            let mut talked = false;
            while !talked || open > 0 {
                tokio::select! {
                    () = &mut talk, if !talked => talked = true,
                    event = self.swarm.select_next_some() => match event {
                        SwarmEvent::ConnectionEstablished { .. } => open += 1,
                        SwarmEvent::ConnectionClosed { .. } => open -= 1,
                        _ => {}
                    },
                }
            }
        })
        .await
        .expect("she should have been hung up on by now");
    }
}

#[tokio::test]
async fn garbage_is_hung_up_on_and_adds_up_to_a_ban_and_nobody_else_notices() {
    let (mut anna, mut ben) = (start(1).await, start(2).await);
    befriend(&mut anna, &mut ben).await;
    anna.members(&[ben.id(), id(6)], false).await;
    let mut mallory = Mallory::new(6);
    let oversized = [255, 255, 255, 255, 0];
    let unknown_flag = [4, 0, 0, 0, 77, 1, 2, 3, 4];
    let not_a_message = [4, 0, 0, 0, 0, 1, 2, 3, 4];
    for (count, bytes) in [&oversized[..], &unknown_flag, &not_a_message].iter().enumerate() {
        mallory.attack(&anna, bytes).await;
        anna.wait_connected(id(6)).await;
        anna.wait_disconnected(id(6)).await;
        reaches(&anna.net.metrics().penalties, count as u64 + 1).await;
    }

    // The third was one too many.
    let refused = anna.net.metrics().connections_failed.load(Ordering::Relaxed);
    let address: Multiaddr = anna.net.addresses().remove(0).parse().unwrap();
    mallory.swarm.dial(address).unwrap();
    let counter = anna.net.metrics();
    tokio::select! {
        () = reaches(&counter.connections_failed, refused + 1) => {}
        () = async { loop { mallory.swarm.select_next_some().await; } } => {}
    }
    anna.send(ben.id(), 1).await;
    assert_eq!(ben.wait_message().await, (anna.id(), 1));
}

/// Where the test's log lines go.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_a_member_sends_reaches_no_terminal_raw() {
    let kept = Kept::default();
    let writer = kept.clone();
    // The whole node runs on this thread.
    let _logging = tracing::subscriber::set_default(towline_cli::logging::to(move || writer.clone()));
    let anna = start(1).await;
    anna.members(&[id(6)], false).await;
    let mut mallory = Mallory::new(6);
    // A message of a kind that clears the screen, sets colours the short way and reverses the line.
    let kind = "\x1b[2J\u{9b}31m\u{202e}x\r\nERROR";
    let mut message = vec![1, 0x81, 0xa0 | u8::try_from(kind.len()).unwrap()];
    message.extend_from_slice(kind.as_bytes());
    message.push(0xc0);
    let mut frame = u32::try_from(message.len()).unwrap().to_le_bytes().to_vec();
    frame.push(0);
    frame.extend_from_slice(&message);
    mallory.attack(&anna, &frame).await;
    reaches(&anna.net.metrics().penalties, 1).await;
    let said = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let penalty = said
        .lines()
        .find(|line| line.contains("penalty"))
        .expect("a penalty");
    assert!(penalty.contains("[2J"), "what she sent is quoted: {penalty:?}");
    let safe = |c| towline_proto::text::is_safe(c) || c == '\n';
    assert!(said.chars().all(safe), "{said:?}");
    assert!(!said.lines().any(|line| line.starts_with("ERROR")), "{said:?}");
}
