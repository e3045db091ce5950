//! Listens on every configured address, or on as many of the default ones as possible.
//!
//! A listener exists at once and gets its addresses from the system, either immediately or, if no interface
//! has an address of that kind, never. Such a listener is kept, since the interface may come up later.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::time::Duration;

use futures::StreamExt;
use libp2p::Multiaddr;
use libp2p::core::transport::ListenerId;
use libp2p::swarm::SwarmEvent;
use tokio::time::{Instant, timeout_at};

use super::Driver;
use crate::{NetError, identity};

/// How long the start waits for listeners to get their addresses.
const LISTEN_WITHIN: Duration = Duration::from_secs(5);
/// How long it waits for optional ones, once another one has an address.
const OTHERS_WITHIN: Duration = Duration::from_millis(500);
/// The error for a listener that got no address.
const NO_ADDRESS: &str = "no network interface of this machine has such an address";

impl Driver {
    /// Listens, and waits until the listeners have addresses. With `any` one of them is enough, and problems
    /// with the others are warnings; a port in use is always an error.
    pub(crate) async fn listen(
        &mut self,
        listen: &[String],
        any: bool,
        announce: &[Multiaddr],
    ) -> Result<(), NetError> {
        for address in announce {
            self.swarm.add_external_address(address.clone());
        }
        let mut waiting = HashMap::new();
        let mut missing = Vec::new();
        let mut found = 0;
        for text in listen {
            let (address, _) = identity::parse(text)?;
            match self.swarm.listen_on(address) {
                Ok(listener) => {
                    waiting.insert(listener, text.clone());
                }
                Err(error) => missing.push(refused(text, &error, any)?),
            }
        }
        let begun = Instant::now();
        while !waiting.is_empty() {
            let within = if any && found > 0 {
                OTHERS_WITHIN
            } else {
                LISTEN_WITHIN
            };
            let Ok(event) = timeout_at(begun + within, self.swarm.select_next_some()).await else {
                break;
            };
            match &event {
                SwarmEvent::NewListenAddr { listener_id, .. } => {
                    found += usize::from(waiting.remove(listener_id).is_some());
                }
                SwarmEvent::ListenerClosed {
                    listener_id,
                    reason: Err(error),
                    ..
                } => missing.extend(closed(&mut waiting, *listener_id, error, any)?),
                _ => {}
            }
            self.on_event(event);
        }
        missing.extend(
            waiting
                .into_values()
                .map(|address| (address, NO_ADDRESS.to_owned())),
        );
        let Some((address, why)) = missing.first().cloned() else {
            return Ok(());
        };
        if !any || found == 0 {
            return Err(NetError::Listen { address, why });
        }
        for (address, why) in missing {
            tracing::warn!(%address, %why, "cannot listen on this address; peers can use the other addresses");
        }
        Ok(())
    }
}

fn closed(
    waiting: &mut HashMap<ListenerId, String>,
    listener: ListenerId,
    error: &io::Error,
    any: bool,
) -> Result<Option<(String, String)>, NetError> {
    let address = waiting.remove(&listener);
    address.map(|address| refused(&address, error, any)).transpose()
}

/// The problem with an optional address.
fn refused(address: &str, error: &(dyn Error + 'static), any: bool) -> Result<(String, String), NetError> {
    let (address, why) = (address.to_owned(), reason(error));
    if any && !is_taken(error) {
        return Ok((address, why));
    }
    Err(NetError::Listen { address, why })
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

fn is_taken(error: &(dyn Error + 'static)) -> bool {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::AddrInUse)
}

/// The full text of an error with its causes: the layers of a transport have no text of their own and wrap
/// the system's error.
fn reason(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = cause.to_string();
        let text = text.trim().trim_end_matches(':').trim_end();
        if !text.is_empty() && !said.iter().any(|before| before.contains(text)) {
            said.push(text.to_owned());
        }
    }
    match said.is_empty() {
        true => "the system gives no reason".to_owned(),
        false => said.join(": "),
    }
}
