//! What one durable write costs, and how many of them fit into a second.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use ed25519_dalek::SigningKey;
use towline_engine::handle::{Job, NodeHandle};
use towline_proto::{NodeId, Verb};

use super::{Bench, Goal, Row, at, raw, world};

/// Writers at once.
const WRITERS: usize = 64;

/// Creates and transitions, each with a raw append beside it, in projects of all sizes.
pub(crate) fn durable(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for items in &bench.sizes {
        rows.extend(durable_among(bench, *items)?);
    }
    Ok(rows)
}

fn durable_among(bench: &Bench, items: usize) -> Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let mut project = world::project(&dir.path().join("project"))?;
    world::import(&mut project, &world::many(&bench.tracker, items))?;
    let mut disk = raw::Disk::new(dir.path())?;
    let origin = world::origin()?;
    let (mut raws, mut creates, mut moves) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..bench.rounds {
        raws.push(disk.append()?);
        let request = world::story(round)?;
        let begun = Instant::now();
        let reply = project.request(Some(&origin), request)?;
        creates.push(begun.elapsed());
        let request = world::transition(&world::handle(reply)?, Verb::Start);
        let begun = Instant::now();
        project.request(Some(&origin), request)?;
        moves.push(begun.elapsed());
    }
    let mut rows = Vec::new();
    for (share, name, goal) in [(0.5, "p50", 1.4), (0.99, "p99", 2.0)] {
        let limit = at(&mut raws, share);
        let what = format!("transition {name}, {items} items");
        let (beside, goal) = ("raw append + fdatasync", Goal::AtMost(goal));
        rows.push(Row::new(what, "us", at(&mut moves, share), beside, limit, goal));
        let what = format!("create {name}, {items} items");
        rows.push(Row::new(
            what,
            "us",
            at(&mut creates, share),
            beside,
            limit,
            Goal::None,
        ));
    }
    Ok(rows)
}

/// One writer and then many, through the project's thread.
pub(crate) fn writers(bench: &Bench) -> Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let started = towline_engine::start(
        world::project(&dir.path().join("project"))?,
        None,
        Arc::new(Vec::new),
    )?;
    let handle = NodeHandle::new(NodeId(
        SigningKey::from_bytes(&world::KEY).verifying_key().to_bytes(),
    ));
    let (id, jobs) = (started.link.id, started.link.jobs.clone());
    handle.add(started.link);
    let mut disk = raw::Disk::new(dir.path())?;
    let mut raws = Vec::new();
    for _ in 0..bench.rounds {
        raws.push(disk.append()?);
    }
    let each = bench.rounds.div_ceil(10).max(4);
    let runtime = tokio::runtime::Runtime::new()?;
    let (one, many) = runtime.block_on(async {
        let origin = world::origin()?;
        let begun = Instant::now();
        for round in 0..bench.rounds {
            handle
                .request(&id, Some(origin.clone()), world::story(round)?)
                .await?;
        }
        let one = rate(bench.rounds, begun);
        let begun = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..WRITERS {
            let (handle, origin) = (handle.clone(), origin.clone());
            tasks.spawn(async move {
                for round in 0..each {
                    handle
                        .request(&id, Some(origin.clone()), world::story(round)?)
                        .await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        let many = rate(WRITERS * each, begun);
        jobs.send(Job::Stop).await?;
        anyhow::Ok((one, many))
    })?;
    started
        .thread
        .join()
        .map_err(|_| anyhow::anyhow!("the project's thread panicked"))?;
    let syncs = 1e6 / at(&mut raws, 0.5);
    Ok(vec![
        Row::new(
            "one writer",
            "writes/s",
            one,
            "raw syncs a second",
            syncs,
            Goal::None,
        ),
        Row::new(
            "64 writers",
            "writes/s",
            many,
            "one writer",
            one,
            Goal::AtLeast(4.0),
        ),
        Row::new(
            "64 writers",
            "writes/s",
            many,
            "10,000 writes a second",
            10_000.0,
            Goal::AtLeast(1.0),
        ),
    ])
}

#[allow(clippy::cast_precision_loss)]
fn rate(count: usize, begun: Instant) -> f64 {
    count as f64 / begun.elapsed().as_secs_f64()
}
