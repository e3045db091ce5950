//! Executes requests.

use crate::errors::StorageError;
use towline_api::request::{Administration, Command, Failure, FailureCode, Query, Reply, Request};
use towline_api::types::{Applied, EntryInfo};
use towline_proto::{Op, Origin, RequestId};

use super::Project;
use super::query::QueryContext;

/// The most cards per search.
const MAX_FOUND: usize = 1_000;

impl Project {
    /// Executes one request; its changes are durable when this returns.
    ///
    /// # Errors
    /// [`Failure`] with a message that says what to do. Nothing was changed then.
    pub fn request(&mut self, origin: Option<&Origin>, body: Request) -> Result<Reply, Failure> {
        if let Request::DryRun { of } = body {
            return self.dry_run(origin, *of);
        }
        if !body.writes() {
            return self.answer(origin, body);
        }
        let reply = self.apply_request(origin, body)?;
        self.commit_pending()?;
        self.run_effects();
        self.save_if_full();
        Ok(reply)
    }

    /// Applies the changes of a request to the pending batch and returns the reply, which is valid once the
    /// batch is durable.
    pub(crate) fn apply_request(&mut self, origin: Option<&Origin>, body: Request) -> Result<Reply, Failure> {
        match self.apply_command(origin, None, body) {
            Ok(reply) => Ok(self.query().annotate_reply(reply, origin)),
            Err(failure) => Err(self.query().annotate_failure(failure, origin)),
        }
    }

    fn apply_command(
        &mut self,
        origin: Option<&Origin>,
        id: Option<RequestId>,
        body: Request,
    ) -> Result<Reply, Failure> {
        let missing = Failure::new(
            FailureCode::Usage,
            towline_proto::stage::OriginError::Empty.to_string(),
        );
        let origin = origin.ok_or(missing)?;
        origin
            .check()
            .map_err(|error| Failure::new(FailureCode::Usage, error.to_string()))?;
        match body {
            Request::Idempotent { id, of } => self.once(origin, id, *of),
            Request::Command(command) => self.execute(origin, id, command),
            Request::Administration(administration) => self.administer(administration),
            Request::Query(_) | Request::DryRun { .. } => self.answer(Some(origin), body),
        }
    }

    fn execute(
        &mut self,
        origin: &Origin,
        id: Option<RequestId>,
        command: Command,
    ) -> Result<Reply, Failure> {
        match command {
            Command::Create(new) => self.command(origin, id, |context| context.create_item(new)),
            Command::Edit(edit) => self.command(origin, id, |context| context.edit(edit)),
            Command::Transition(asked) => self.command(origin, id, |context| context.transition(asked)),
            Command::ClaimReady { holder } => self.command(origin, id, |context| context.take_ready(holder)),
            Command::Undo { item } => self.command(origin, id, |context| context.undo(item.as_deref())),
            Command::Set { key, value } => self.command(origin, id, |context| context.set(&key, value)),
            Command::Label { item, add, remove } => {
                self.command(origin, id, |context| context.label(&item, add, remove))
            }
            Command::Depends { item, add, remove } => {
                self.command(origin, id, |context| context.depends(&item, &add, &remove))
            }
            Command::Link { item, add, remove } => {
                self.command(origin, id, |context| context.link(&item, add, remove))
            }
            Command::Comment { item, text } => {
                self.command(origin, id, |context| context.say(&item, Op::Comment { text }))
            }
            Command::AddCriterion { item, text } => self.command(origin, id, |context| {
                context.say(&item, Op::AddCriterion { text })
            }),
            Command::SetCriterion {
                item,
                index,
                state,
                evidence,
                expect,
                state_base,
            } => self.command(origin, id, |context| {
                context.criterion_is(&item, index, state, expect, state_base)?;
                context.judge(&item, index, state, evidence)
            }),
            Command::Resolve { item, conflict, keep } => self.command(origin, id, |context| {
                context.resolve_conflict(&item, conflict.as_deref(), &keep)
            }),
        }
    }

    /// Executes a request about the whole project. What it adds to the log is not durable when this returns.
    fn administer(&mut self, administration: Administration) -> Result<Reply, Failure> {
        match administration {
            Administration::ImportSettings { line, dry_run } => {
                let taken = self.import_settings(&line, dry_run)?;
                Ok(Reply::LineOutcomes(vec![taken]))
            }
            Administration::ImportItems { items, dry_run } => {
                self.import_items(items, dry_run).map(Reply::Imported)
            }
            Administration::ImportRelations { relations, dry_run } => {
                self.import_relations(relations, dry_run).map(Reply::Imported)
            }
            Administration::ImportLines { lines, names, pass } => {
                self.import_lines(&lines, &names, pass).map(Reply::LineOutcomes)
            }
            Administration::ImportEntries { project, records } => self
                .import_entries(&project, &records)
                .map(Reply::EntriesImported),
            Administration::SettingsLine => {
                let line = self.query().settings_line()?;
                Ok(Reply::SettingsLine(line.map(Box::new)))
            }
            Administration::ExportLines { offset, limit } => {
                self.query().export_lines(offset, limit).map(Reply::Lines)
            }
            Administration::ExportEntries { after } => Ok(self.query().export_entries(after)?),
            Administration::Invite { role, valid_ms } => self.invite(role, valid_ms),
            Administration::Revoke { ticket } => {
                let entry = self.withdraw(&ticket)?;
                Ok(Reply::Entry(EntryInfo {
                    hash: entry.hash().to_string(),
                    seq: entry.body().seq,
                }))
            }
            Administration::Doctor => Ok(Reply::Doctor(self.query().doctor())),
            Administration::Rebuild => {
                self.rebuild().map_err(StorageError::Open)?;
                Ok(Reply::Done)
            }
            Administration::SyncStatus => {
                // The caller need not wait for the next regular tick.
                self.replicate(towline_sync::Input::Tick);
                self.run_effects();
                let peers = self.query().peers();
                let equal = peers.iter().filter(|peer| peer.in_sync).count();
                Ok(Reply::Synced {
                    peers: peers.len(),
                    equal,
                })
            }
        }
    }

    fn once(&mut self, origin: &Origin, id: RequestId, of: Request) -> Result<Reply, Failure> {
        if let Some(applied) = self.query().already_done(&id, &of)? {
            return Ok(Reply::Applied(Box::new(applied)));
        }
        self.apply_command(Some(origin), Some(id), of)
    }

    /// The reply or failure that a request would get now. It leaves nothing in the log or in memory.
    pub(crate) fn dry_run(&mut self, origin: Option<&Origin>, body: Request) -> Result<Reply, Failure> {
        // The pending batch is not part of it.
        self.commit_pending()?;
        if matches!(body, Request::Administration(Administration::Rebuild)) {
            return Ok(Reply::Done);
        }
        if !body.writes() {
            return self.answer(origin, body);
        }
        let claims = self.presence.claims().clone();
        let answer = self.apply_request(origin, body);
        self.rollback_pending();
        // The rollback notes these claims anew, as if they had just been made.
        self.presence.restore_claims(claims);
        Ok(match answer? {
            // The ticket is not valid.
            Reply::Ticket { expires, .. } => Reply::Ticket {
                ticket: String::new(),
                expires,
            },
            reply => reply,
        })
    }

    /// Executes a request that does not write to the log by itself.
    pub(crate) fn answer(&mut self, origin: Option<&Origin>, body: Request) -> Result<Reply, Failure> {
        match body {
            Request::Query(query) => self.query().reply(origin, query),
            Request::Administration(administration) => {
                let reply = self.administer(administration)?;
                Ok(self.query().annotate_reply(reply, origin))
            }
            Request::Command(_) | Request::Idempotent { .. } => Err(cannot_carry_id()),
            Request::DryRun { .. } => {
                let why = "a dry run cannot be part of another request";
                Err(Failure::new(FailureCode::Usage, why))
            }
        }
    }
}

impl QueryContext<'_> {
    /// The reply to a query.
    pub(crate) fn reply(&self, origin: Option<&Origin>, query: Query) -> Result<Reply, Failure> {
        let reply = match query {
            // With the original times, so that it is equal on every node.
            Query::Export { offset, limit } => return self.export(offset, limit).map(Reply::Pages),
            Query::List(filter) => self.list(&filter).map(Reply::Cards),
            Query::Show { item } => {
                let mut pages = self.show(&item)?;
                match (pages.len(), pages.pop()) {
                    (1, Some(page)) => Ok(Reply::Page(Box::new(page))),
                    (_, page) => {
                        pages.extend(page);
                        Ok(Reply::Pages(pages))
                    }
                }
            }
            Query::Search { text, limit } => self.search(&text, limit.min(MAX_FOUND)).map(Reply::Cards),
            Query::Ready { asker, all } => Ok(Reply::Cards(self.ready(asker.as_deref(), all))),
            Query::Settings => Ok(Reply::Settings(self.settings()?)),
            Query::Conflicts { item } => self.conflicts(item.as_deref()).map(Reply::Conflicts),
            Query::Explain { item } => self.explain(&item).map(Reply::Explanations),
            Query::Log { item, limit } => self.log(item.as_deref(), limit).map(Reply::History),
            Query::Status => self.status().map(|status| Reply::Status(Box::new(status))),
            Query::Members => Ok(Reply::Members(self.list_members())),
            Query::Peers => Ok(Reply::Peers(self.peers())),
            Query::Addresses => Ok(Reply::Addresses(self.replication.own_addresses()?)),
            Query::Events { after, limit } => Ok(Reply::Events(self.store.events(after, limit)?)),
        };
        reply.map(|reply| self.annotate_reply(reply, origin))
    }

    /// The reply to a request that was executed before, here or on another node whose act has arrived.
    fn already_done(&self, id: &RequestId, of: &Request) -> Result<Option<Applied>, Failure> {
        let Request::Command(command) = of else {
            return Err(cannot_carry_id());
        };
        let item = match command {
            Command::Create(_) => {
                let made = self.index.made_for(id).next();
                return Ok(made.map(|item| self.applied(&item, None, false)).transpose()?);
            }
            Command::Edit(edit) => &edit.item,
            Command::Transition(asked) => &asked.item,
            Command::Label { item, .. }
            | Command::Depends { item, .. }
            | Command::Link { item, .. }
            | Command::Comment { item, .. }
            | Command::AddCriterion { item, .. }
            | Command::SetCriterion { item, .. }
            | Command::Resolve { item, .. } => item,
            Command::ClaimReady { .. } | Command::Undo { .. } | Command::Set { .. } => {
                return Err(cannot_carry_id());
            }
        };
        // An invalid handle is reported when the request is executed.
        let Ok(row) = self.index.find_one(item) else {
            return Ok(None);
        };
        let doc = self.doc(&row.id)?;
        let done = doc.acts().values().any(|record| record.act.request == Some(*id));
        let applied = done.then(|| self.applied(&row.id, Some(row.column), false));
        Ok(applied.transpose()?)
    }
}

fn cannot_carry_id() -> Failure {
    let why = "only requests that change an item can carry a request id";
    Failure::new(FailureCode::Usage, why)
}
