//! Two nodes in one process, on the loopback: catch-up of an empty one, live propagation, and the
//! reconnect of two that hold the same.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::time::timeout;
use towline_api::request::{Administration, Query, Reply, Request};
use towline_engine::in_home::{make_project, open_project};
use towline_interchange::import::Parsed;
use towline_node::node::Node;
use towline_proto::{ProjectId, Role, Ticket};
use towline_store::home::{self, Config, Home, key};

use super::{Bench, Goal, Row, at, raw, world};

/// Seconds after which something hangs.
const PATIENCE: Duration = Duration::from_secs(300);
/// Milliseconds between two looks whether everything has come: far below what is measured.
const LOOK: Duration = Duration::from_millis(5);
/// Writes before the first one that counts, so that gossip has found its mesh.
const WARM_UP: usize = 10;
/// How long a ticket is valid, in milliseconds.
const TICKET_MS: u64 = 600_000;
/// Bytes that two nodes which hold the same may need to find that out.
const RECONNECT_BYTES: f64 = 300.0;

fn config(name: &str) -> Config {
    Config {
        node_name: name.to_owned(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        mdns: false,
        ..Config::default()
    }
}

/// Makes a home with a project in it.
pub(crate) fn home(root: &Path, parsed: &Parsed) -> Result<()> {
    let (home, seed, _) = home::init::init(root, &config("ann"))?;
    let place = make_project(&home, &seed, "bench", "ann")?;
    let mut project = open_project(&place, &seed)?;
    world::import(&mut project, parsed)?;
    project.close();
    Ok(())
}

async fn start(root: &Path, name: &str) -> Result<Arc<Node>> {
    let home = Home::at(root);
    let lock = home.lock("bench")?;
    let seed = key::load(&home.key_file())?;
    Ok(Node::start(home, lock, &config(name), seed).await?)
}

async fn digest(node: &Node, id: &ProjectId) -> Result<String> {
    match node
        .handle()
        .request(id, None, Request::Query(Query::Status))
        .await?
    {
        Reply::Status(status) => Ok(status.digest),
        other => bail!("not a status: {other:?}"),
    }
}

/// Two nodes that hold the same, and how the second came by it.
struct Pair {
    ann: Arc<Node>,
    bo: Arc<Node>,
    id: ProjectId,
    took: Duration,
    bytes: u64,
}

impl Pair {
    async fn meet(root: &Path, parsed: &Parsed) -> Result<Self> {
        let (ann_root, bo_root) = (root.join("ann"), root.join("bo"));
        for root in [&ann_root, &bo_root] {
            std::fs::create_dir(root)?;
        }
        home(&ann_root, parsed)?;
        home::init::init(&bo_root, &config("bo"))?;
        let ann = start(&ann_root, "ann").await?;
        let bo = start(&bo_root, "bo").await?;
        let id = ann.handle().project(None)?.id;
        let (role, valid_ms) = (Role::Writer, TICKET_MS);
        let invite = Request::Administration(Administration::Invite { role, valid_ms });
        let ticket = match ann.handle().request(&id, Some(world::origin()?), invite).await? {
            Reply::Ticket { ticket, .. } => ticket.parse::<Ticket>().context("the ticket")?,
            other => bail!("not a ticket: {other:?}"),
        };
        let begun = Instant::now();
        timeout(PATIENCE, bo.join(&ticket)).await??;
        timeout(PATIENCE, async {
            let wanted = digest(&ann, &id).await?;
            while digest(&bo, &id).await? != wanted {
                tokio::time::sleep(LOOK).await;
            }
            anyhow::Ok(())
        })
        .await??;
        let took = begun.elapsed();
        let bytes = bo.net().metrics().bytes_in.load(Ordering::Relaxed);
        Ok(Self {
            ann,
            bo,
            id,
            took,
            bytes,
        })
    }

    async fn stop(self) {
        self.bo.stop().await;
        self.ann.stop().await;
    }
}

/// An empty node joins a project.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn catch_up(bench: &Bench) -> Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (took, bytes) = runtime.block_on(async {
        let pair = Pair::meet(dir.path(), &bench.tracker).await?;
        let measured = (pair.took, pair.bytes);
        pair.stop().await;
        anyhow::Ok(measured)
    })?;
    let raw = raw::transfer(bytes)?.as_secs_f64();
    let (items, took) = (bench.tracker.items.len() as f64, took.as_secs_f64());
    let wire = bytes as f64 / items;
    let file = bench.tracker_bytes as f64 / items;
    Ok(vec![
        Row::new(
            format!("catch-up of {items} items"),
            "ms",
            took * 1e3,
            "raw TCP transfer of its bytes",
            raw * 1e3,
            Goal::None,
        ),
        Row::new(
            "catch-up",
            "items/s",
            items / took,
            "10,000 items in 2.5 s",
            4_000.0,
            Goal::AtLeast(1.0),
        ),
        Row::new(
            "catch-up on the wire",
            "B/item",
            wire,
            "700 B an item",
            700.0,
            Goal::AtMost(1.0),
        ),
        Row::new(
            "catch-up on the wire",
            "B/item",
            wire,
            "the tracker's JSON",
            file,
            Goal::None,
        ),
    ])
}

/// A write of one node until the other's feed shows it.
pub(crate) fn live(bench: &Bench) -> Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut disk = raw::Disk::new(dir.path())?;
    let mut line = raw::Line::new()?;
    let (mut limits, mut times) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        let parsed = world::many(&bench.tracker, bench.items);
        let pair = Pair::meet(dir.path(), &parsed).await?;
        let mut feed = pair.bo.handle().project(None)?.feed;
        let origin = world::origin()?;
        for round in 0..WARM_UP + bench.rounds {
            let limit = disk.append()? + line.ping()?;
            feed.mark_unchanged();
            let begun = Instant::now();
            let asked = pair
                .ann
                .handle()
                .request(&pair.id, Some(origin.clone()), world::story(round)?);
            let (asked, seen) = tokio::join!(asked, timeout(PATIENCE, feed.changed()));
            asked?;
            seen??;
            if round >= WARM_UP {
                times.push(begun.elapsed());
                limits.push(limit);
            }
        }
        pair.stop().await;
        anyhow::Ok(())
    })?;
    let rows = [(0.5, "p50", 2.0), (0.99, "p99", 2.5)].map(|(share, name, goal)| {
        let what = format!("live A to B {name}, {} items", bench.items);
        let limit = at(&mut limits, share);
        let beside = "raw fdatasync + raw TCP round trip";
        Row::new(
            what,
            "us",
            at(&mut times, share),
            beside,
            limit,
            Goal::AtMost(goal),
        )
    });
    Ok(rows.to_vec())
}

/// Two nodes that hold the same meet again: one was stopped and comes back under the same port. Bytes
/// are those of direct streams, both ways, without the transport's own handshake. No time is taken:
/// the two agree before a request to the project's thread could see them connected and not yet equal.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn reconnect(bench: &Bench) -> Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let bytes = runtime.block_on(async {
        let mut pair = Pair::meet(dir.path(), &bench.tracker).await?;
        pair.bo.stop().await;
        // The home's lock goes with the last handle, which a task of the node may hold a moment longer.
        let gone = Arc::downgrade(&pair.bo);
        let root = pair.bo.home().root().to_owned();
        drop(pair.bo);
        timeout(PATIENCE, async {
            while gone.strong_count() > 0 {
                tokio::time::sleep(LOOK).await;
            }
        })
        .await?;
        pair.bo = start(&root, "bo").await?;
        for node in [&pair.bo, &pair.ann] {
            timeout(PATIENCE, equal(node, &pair.id)).await??;
        }
        let metrics = pair.bo.net().metrics();
        let bytes = metrics.bytes_in.load(Ordering::Relaxed) + metrics.bytes_out.load(Ordering::Relaxed);
        pair.stop().await;
        anyhow::Ok(bytes)
    })?;
    Ok(vec![Row::new(
        format!("idle reconnect, {} items", bench.tracker.items.len()),
        "B",
        bytes as f64,
        "goal, both ways",
        RECONNECT_BYTES,
        Goal::AtMost(1.0),
    )])
}

/// Waits until a node's project has a peer that holds the same.
async fn equal(node: &Node, id: &ProjectId) -> Result<()> {
    loop {
        match node
            .handle()
            .request(id, None, Request::Query(Query::Peers))
            .await?
        {
            Reply::Peers(peers) if peers.iter().any(|peer| peer.in_sync) => return Ok(()),
            Reply::Peers(_) => tokio::time::sleep(LOOK).await,
            other => bail!("not the peers: {other:?}"),
        }
    }
}
