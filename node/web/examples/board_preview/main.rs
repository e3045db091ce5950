//! The board with forty canned items, for looking at it without a project:
//! `cargo run -p towline-web --example board_preview -- 127.0.0.1:7421`. Prints a sign-in link.

#[path = "../../tests/web/canned.rs"]
mod canned;
mod demo;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use towline_engine::handle::NodeHandle;
use towline_proto::{Kind, Millis, NodeId};
use towline_web::{Web, WebConfig, router, serve};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let now = Millis(u64::try_from(ms)?);
    let handle = NodeHandle::new(NodeId([1; 32]));
    handle.add(canned::project("demo", demo::demo(now)));
    handle.add(canned::project("empty", Vec::new()));
    let many = (1..=3_000).map(|number| canned::card(number, Kind::Story, "One of many", now));
    handle.add(canned::project("large", many.collect()));
    let config = WebConfig {
        tokens: Some(Arc::new(canned::Tokens)),
        ..WebConfig::default()
    };
    let web = Web::new(handle, config)?;
    let listener = TcpListener::bind(address).await?;
    let base = format!("http://{}", listener.local_addr()?);
    println!("{base}/p/demo\n{}", web.login_link(&base, "ann"));
    let stop = CancellationToken::new();
    let ended = tokio::spawn(serve(listener, router(web), stop.clone()));
    tokio::signal::ctrl_c().await?;
    stop.cancel();
    Ok(ended.await??)
}
