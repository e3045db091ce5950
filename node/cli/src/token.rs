//! `token`: creates, lists and revokes the API tokens of this node.
//!
//! Works on the file in the home, with or without a running node: a running one reads it again. A token is printed
//! once, when it is created.

use std::io::Write;

use serde::Serialize;
use towline_api::document::schema;
use towline_api::request::{Failure, FailureCode};
use towline_api::types::{Scope, TokenInfo};
use towline_proto::stage::OriginError;
use towline_proto::{Millis, Origin, OriginKind, limits};
use towline_store::home::{Home, tokens};

use super::args::{TokenCommand, TokenCreateArgs};
use super::context::{Context, now};
use super::render::text::{clean, expiry};
use super::{CliError, dry_run, json};

#[derive(Serialize)]
struct Created<'a> {
    token: &'a str,
    #[serde(flatten)]
    info: &'a TokenInfo,
}

#[derive(Serialize)]
struct Listed {
    tokens: Vec<TokenInfo>,
}

pub(super) fn run(ctx: &Context, command: &TokenCommand, out: &mut dyn Write) -> Result<(), CliError> {
    let home = Home::at(ctx.root()?);
    match command {
        TokenCommand::Create(args) => create(ctx, &home, args, out),
        TokenCommand::List => list(ctx, &home, out),
        TokenCommand::Revoke { id } => revoke(ctx, &home, id, out),
    }
}

fn create(ctx: &Context, home: &Home, args: &TokenCreateArgs, out: &mut dyn Write) -> Result<(), CliError> {
    // The name is the origin of what the bearer does.
    let origin = Origin::new(OriginKind::Agent, args.name.clone())
        .map_err(|error| Failure::new(FailureCode::Usage, wrong_name(&error)))?;
    let now = now();
    let expires = args.expires.map(|valid| {
        let valid_ms = u64::try_from(valid.as_millis()).unwrap_or(u64::MAX);
        Millis(now.0.saturating_add(valid_ms))
    });
    let scope = Scope::from(args.scope);
    if ctx.global.dry_run {
        let step = format!(
            "create an API token for {} with the scope {}",
            clean(&origin.id),
            scope.as_str()
        );
        return dry_run::print_steps(ctx, &[step], out);
    }
    let (info, token) = tokens::create(home, now, &origin.id, scope, expires).map_err(Failure::from)?;
    if ctx.global.json {
        let created = Created {
            token: &token,
            info: &info,
        };
        out.write_all(json::document(schema::TOKEN, created).as_bytes())?;
        return Ok(());
    }
    // The token alone, for scripts that keep it.
    writeln!(out, "{token}")?;
    ctx.say("Keep this token secret; it is not shown again.");
    ctx.say(&format!("Revoke it with: towline token revoke {}", info.id));
    Ok(())
}

/// Why a token cannot have a name.
fn wrong_name(error: &OriginError) -> String {
    match error {
        OriginError::Empty => "the name of an API token must not be empty".to_owned(),
        OriginError::Unprintable => format!(
            "the name of an API token must be one line of at most {} characters without control characters",
            limits::NAME_CHARS
        ),
    }
}

fn list(ctx: &Context, home: &Home, out: &mut dyn Write) -> Result<(), CliError> {
    let tokens = tokens::list(home).map_err(Failure::from)?;
    if ctx.global.json {
        out.write_all(json::document(schema::TOKENS, Listed { tokens }).as_bytes())?;
        return Ok(());
    }
    if tokens.is_empty() {
        ctx.say("No API tokens.");
    }
    for token in &tokens {
        let ends = token.expires.map_or_else(String::new, |expires| {
            format!("  {}", expiry(ctx.view.now, expires))
        });
        let scope = token.scope.as_str();
        writeln!(out, "{}  {scope:<5}  {}{ends}", token.id, clean(&token.name))?;
    }
    Ok(())
}

fn revoke(ctx: &Context, home: &Home, id: &str, out: &mut dyn Write) -> Result<(), CliError> {
    let missing = || {
        let id = towline_proto::text::show(id, 80);
        let why = format!("there is no API token {id}; `towline token list` shows them");
        Failure::new(FailureCode::NotFound, why)
    };
    if ctx.global.dry_run {
        let all = tokens::list(home).map_err(Failure::from)?;
        if all.iter().all(|token| token.id != id) {
            return Err(missing().into());
        }
        return dry_run::print_steps(ctx, &[format!("revoke the API token {id}")], out);
    }
    let gone = tokens::revoke(home, id)
        .map_err(Failure::from)?
        .ok_or_else(missing)?;
    if ctx.global.json {
        out.write_all(json::done().as_bytes())?;
    }
    ctx.say(&format!(
        "Revoked the API token {} of {}.",
        gone.id,
        clean(&gone.name)
    ));
    Ok(())
}
