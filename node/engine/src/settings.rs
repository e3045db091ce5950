//! The project's settings: their values, who may change them, and how a node's own file from earlier versions
//! is adopted.
//!
//! They are in a document of their own ([`towline_crdt::settings`]), which is applied and rolled back like an
//! item's but has no row: item lists do not contain it. The values are recomputed whenever the document or a
//! role changes. A setting or value that this version does not know has no effect here and stays for the
//! versions that know it.

use std::collections::BTreeMap;
use std::sync::Arc;

use towline_api::request::{Failure, FailureCode};
use towline_api::types::{ItemLink, OpenConflict, SetBy, Setting};
use towline_crdt::compose::Draft;
use towline_crdt::doc::ItemDoc;
use towline_crdt::fold::FoldedItem;
use towline_crdt::settings::key;
use towline_proto::{Op, Origin, OriginKind};
use towline_store::home::Settings;
use towline_store::home::settings::KEYS;

use super::Project;
use super::command::{CommandContext, CommandPlan, PlannedReply, drafts};
use super::conflicts::{choose_conflict, choose_side};
use super::pending_batch::Work;
use super::query::QueryContext;
use super::write::{conflict, usage};

/// The handle of the settings. It reads neither as a number nor as a key.
pub(super) const HANDLE: &str = "settings";

/// The settings in effect on this node.
#[derive(Debug, Default)]
pub(crate) struct SettingsInEffect {
    /// The values.
    pub(crate) values: Settings,
    /// Whether they override those of the project.
    fixed: bool,
    /// Settings from this node's own file, from when each node had settings of its own.
    pub(crate) legacy: Vec<(String, String)>,
}

fn settings_work(context: &QueryContext<'_>, drafts: Vec<Draft>) -> Work {
    Work {
        item: Some(context.store.settings_id()),
        drafts,
        ..Work::default()
    }
}

impl Project {
    /// Applies the settings document.
    pub(crate) fn apply_settings(&mut self, doc: Arc<ItemDoc>) {
        self.batch.save_doc(&self.store, doc.id());
        self.store.put_doc(doc);
        self.read_settings();
    }

    /// Recomputes the values.
    pub(crate) fn read_settings(&mut self) {
        let values = self.query().settings_in_effect();
        self.use_settings(values);
    }

    fn use_settings(&mut self, values: Settings) {
        if self.settings.fixed {
            return;
        }
        if values.promote != self.settings.values.promote {
            self.maintenance.check_all();
        }
        self.settings.values = values;
    }

    /// Overrides the project's settings for the lifetime of the process: for programs that embed a node, and
    /// for tests. No file and no command does that.
    pub fn override_settings(&mut self, settings: Settings) {
        self.settings.fixed = false;
        self.use_settings(settings);
        self.settings.fixed = true;
    }

    /// Supplies settings that this node's own file has from earlier versions, to be written into a project
    /// that has never set them.
    pub fn set_legacy_settings(&mut self, settings: Vec<(String, String)>) {
        self.settings.legacy = settings;
    }
}

impl QueryContext<'_> {
    /// The values that are in effect. A setting that cannot be read has its default.
    fn settings_in_effect(&self) -> Settings {
        let mut settings = Settings::default();
        let doc = self.doc(&self.store.settings_id());
        let folded = doc
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|doc| self.folded(doc));
        match folded {
            Ok(folded) => {
                for (key, act) in folded.settings() {
                    if let Some(Err(why)) = folded.setting(&act).map(|value| settings.set(key, &value)) {
                        tracing::info!(%why, "a project setting is not understood by this version; using the default");
                    }
                }
            }
            Err(failure) => {
                tracing::error!(%failure, "cannot read the project settings; using the defaults")
            }
        }
        settings
    }

    /// Every setting that this version knows, and unknown ones that somebody wrote.
    pub(crate) fn settings(&self) -> Result<Vec<Setting>, Failure> {
        let doc = self.doc(&self.store.settings_id())?;
        let folded = self.folded(&doc)?;
        let written = folded.settings();
        let mut conflicts: BTreeMap<String, OpenConflict> = BTreeMap::new();
        let of_key = folded
            .view
            .conflicts
            .iter()
            .filter_map(|one| Some((key(&one.register)?, &one.id)));
        for ((key, id), open) in of_key.zip(self.settings_conflicts(&folded)) {
            if *id == open.id {
                conflicts.insert(key.clone(), open);
            }
        }
        let others = written.keys().copied().filter(|key| !KEYS.contains(key));
        let all: Vec<&str> = KEYS.iter().copied().chain(others).collect();
        let holding = *self.settings;
        let settings = all.into_iter().map(|key| {
            let act = written.get(key);
            let value = act.and_then(|act| folded.setting(act));
            let readable = value
                .as_ref()
                .is_none_or(|value| Settings::default().set(key, value).is_ok());
            let understood = KEYS.contains(&key) && readable;
            let stamp = act.and_then(|act| folded.attribution(act));
            Setting {
                key: key.to_owned(),
                value: match holding.get(key).filter(|_| understood) {
                    Some(value) => value,
                    None => value.unwrap_or_default(),
                },
                understood,
                set: stamp.map(|stamp| SetBy {
                    origin: stamp.origin,
                    node_name: self.node_name(&stamp.node),
                    at: stamp.at,
                }),
                conflict: conflicts.remove(key).map(Box::new),
            }
        });
        Ok(settings.collect())
    }

    /// The conflicts of the settings, under their handle.
    pub(super) fn settings_conflicts(&self, folded: &FoldedItem<'_>) -> Vec<OpenConflict> {
        let mut open = self.conflicts_of(folded);
        for conflict in &mut open {
            conflict.item = ItemLink {
                handle: HANDLE.to_owned(),
                id: self.store.settings_id(),
                title: "settings of the project".to_owned(),
                status: None,
                satisfied: false,
                suspended: false,
                note: None,
            };
            for side in &mut conflict.sides {
                HANDLE.clone_into(&mut side.line.handle);
            }
        }
        open
    }

    /// All conflicts of the settings.
    pub(super) fn open_settings(&self) -> Result<Vec<OpenConflict>, Failure> {
        let doc = self.doc(&self.store.settings_id())?;
        Ok(self.settings_conflicts(&self.folded(&doc)?))
    }

    /// Checks that this node may change the settings.
    pub(crate) fn may_set(&self) -> Result<(), Failure> {
        self.may_write()?;
        if self.role().may_set() {
            return Ok(());
        }
        let message = format!(
            "this node is a {} of {}; only a maintainer or an owner can change project settings",
            self.role(),
            self.members.name()
        );
        Err(Failure::new(FailureCode::NotAllowed, message))
    }

    /// The work that writes settings from this node's own file, from when each node had settings of its own, if
    /// the project has never set them; `None` also on nodes that may not change settings.
    pub(crate) fn legacy_settings(&self, legacy: &[(String, String)]) -> Result<Option<Work>, Failure> {
        if legacy.is_empty() || self.may_set().is_err() {
            return Ok(None);
        }
        let doc = self.doc(&self.store.settings_id())?;
        let folded = self.folded(&doc)?;
        let known = folded.settings();
        let origin = Origin {
            kind: OriginKind::System,
            id: "config.toml".to_owned(),
        };
        let unsaid = legacy.iter().filter(|(key, value)| {
            !known.contains_key(key.as_str()) && Settings::default().set(key, value).is_ok()
        });
        let set = |(key, value): &(String, String)| Op::Set {
            key: key.clone(),
            value: Some(value.clone()),
        };
        let ops: Vec<_> = unsaid.map(set).collect();
        Ok((!ops.is_empty()).then(|| settings_work(self, drafts(self, &origin, None, ops))))
    }
}

impl CommandContext<'_> {
    /// Changes a setting; `None` restores the default. Writing the current value resolves a conflict about
    /// it.
    pub(crate) fn set(&self, key: &str, value: Option<String>) -> Result<CommandPlan, Failure> {
        let mut wanted = Settings::default();
        let default = wanted.get(key).unwrap_or_default();
        wanted
            .set(key, value.as_deref().unwrap_or(&default))
            .map_err(usage)?;
        // In canonical form: `90m` and `5400s` are one value.
        let value = value.and_then(|_| wanted.get(key));
        self.may_set()?;
        let doc = self.doc(&self.store.settings_id())?;
        let folded = self.folded(&doc)?;
        let act = folded.settings().get(key).copied();
        let said = act.and_then(|act| folded.setting(&act));
        let contested = folded.view.conflicts.iter().any(|open| key_is(open, key));
        let op = (said != value || contested).then(|| Op::Set {
            key: key.to_owned(),
            value,
        });
        Ok(self.plan_settings(op))
    }

    /// Resolves a conflict about a setting in favour of one side.
    pub(super) fn resolve_setting(&self, id: Option<&str>, keep: &str) -> Result<CommandPlan, Failure> {
        let open = self.open_settings()?;
        let chosen = choose_conflict(&open, id)?;
        let keep = choose_side(chosen, keep)?;
        self.may_set()?;
        let doc = self.doc(&self.store.settings_id())?;
        let folded = self.folded(&doc)?;
        let over = folded.view.conflicts.iter().find(|one| one.id == chosen.id);
        let Some(over) = over.map(|one| one.register.clone()) else {
            return Err(conflict("this conflict was already resolved"));
        };
        Ok(self.plan_settings(Some(Op::Resolve { over, keep })))
    }

    fn plan_settings(&self, op: Option<Op>) -> CommandPlan {
        // A request id is about an item; settings are compared by their values.
        let ops = op.into_iter().collect();
        CommandPlan {
            work: settings_work(self, drafts(self, self.origin, None, ops)),
            reply: PlannedReply::Settings,
        }
    }
}

fn key_is(open: &towline_crdt::view::Conflict, wanted: &str) -> bool {
    key(&open.register).is_some_and(|key| key == wanted)
}
