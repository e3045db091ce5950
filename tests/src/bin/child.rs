//! The process that a test kills: it has the log, the cache or the lock of a home, and says how far it is.
//!
//! `child append|batch|lock FOLDER`; `tests/tests/crash/stores.rs` starts it. It is bounded, should nobody come to
//! kill it.

use std::convert::Infallible;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use towline_proto::{Millis, ProjectId};
use towline_store::cache::{Batch, Cache, Table, meta};
use towline_store::home::Home;
use towline_store::log::Log;

/// The project of every log here.
const PROJECT: ProjectId = ProjectId([7; 32]);
/// When everything here happens.
const NOW: Millis = Millis(1_700_000_000_000);
/// Numbers to write at most.
const MOST: u64 = 2_000_000;
/// Records of one append.
const TOGETHER: u64 = 3;
/// Batches between two that are made durable.
const FLUSH_EVERY: u64 = 10;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [what, folder] = args.as_slice() else {
        anyhow::bail!("usage: child append|batch|lock FOLDER");
    };
    let folder = Path::new(folder);
    match what.as_str() {
        "append" => append(folder),
        "batch" => write_batches(folder),
        "lock" => hold_the_lock(folder),
        _ => anyhow::bail!("{what}: append, batch or lock"),
    }
}

/// Appends numbers to a log and says which is durable.
fn append(folder: &Path) -> anyhow::Result<()> {
    let mut number = 0;
    let (mut log, _) = Log::open::<Infallible>(&folder.join("log"), PROJECT, |_| {
        number += 1;
        Ok(())
    })?;
    while number < MOST {
        let batch: Vec<_> = (number..number + TOGETHER)
            .map(|number| (NOW, Arc::from(number.to_le_bytes())))
            .collect();
        log.append(&batch, None)?;
        number += TOGETHER;
        println!("acked {number}");
    }
    Ok(())
}

/// Writes batches of two tables into a cache and says which is durable.
fn write_batches(folder: &Path) -> anyhow::Result<()> {
    let (cache, _) = Cache::open(NOW, &folder.join("cache"))?;
    let begun = cache.u64(Table::Meta, meta::APPLIED)?.unwrap_or(0);
    for number in begun + 1..MOST {
        let mut batch = Batch::default();
        batch.put_u64(Table::Meta, meta::APPLIED, number);
        batch.put(Table::Feed, &number.to_be_bytes(), vec![1; 200]);
        cache.write(batch)?;
        if number % FLUSH_EVERY == 0 {
            cache.flush_durable()?;
            println!("durable {number}");
        }
    }
    Ok(())
}

/// Has the lock until its standard input is closed.
fn hold_the_lock(folder: &Path) -> anyhow::Result<()> {
    let _lock = Home::at(folder).lock("towline up")?;
    println!("held");
    // One byte or the end: either is a reason to end.
    let _ = std::io::stdin().read(&mut [0])?;
    Ok(())
}
