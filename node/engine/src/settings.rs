//! The project's settings: their values, who may change them, and how a node's own file from earlier versions
//! is adopted.
//!
//! They are in a document of their own ([`towline_crdt::settings`]), which is applied and rolled back like an
//! item's but has no row: item lists do not contain it. The values are recomputed whenever the document or a
//! role changes. A setting or value that this version does not know has no effect here and stays for the
//! versions that know it.

use std::collections::BTreeMap;
use std::sync::Arc;

use towline_api::request::{Failure, FailureCode, Reply};
use towline_api::types::{ItemLink, OpenConflict, SetBy, Setting};
use towline_crdt::compose::Draft;
use towline_crdt::doc::ItemDoc;
use towline_crdt::fold::FoldedItem;
use towline_crdt::settings::{initial_document, key};
use towline_proto::{ItemId, Op, Origin, OriginKind};
use towline_store::home::Settings;
use towline_store::home::settings::KEYS;

use super::Project;
use super::conflicts::{choose_conflict, choose_side};
use super::pending_batch::Work;
use super::write::{conflict, usage};

/// The handle of the settings. It reads neither as a number nor as a key.
pub(super) const HANDLE: &str = "settings";

impl Project {
    /// The id of the settings' document.
    pub(super) fn settings_id(&self) -> ItemId {
        ItemId::settings(&self.id)
    }

    /// An empty settings document.
    pub(super) fn no_settings(&self) -> Result<ItemDoc, Failure> {
        initial_document(self.settings_id())
            .map_err(|error| Failure::new(FailureCode::Failure, error.to_string()))
    }

    /// Applies the settings document.
    pub(super) fn apply_settings(&mut self, doc: Arc<ItemDoc>) {
        let uncached = self.docs.uncached(&doc.id());
        self.pending.save_doc(doc.id(), uncached);
        self.docs.put(doc);
        self.read_settings();
    }

    /// Recomputes the values. A setting that cannot be read has its default.
    pub(super) fn read_settings(&mut self) {
        let mut settings = Settings::default();
        let doc = self.doc(&self.settings_id());
        match doc
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|doc| self.folded(doc))
        {
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
        self.maintenance.set_settings(settings);
    }

    /// Every setting that this version knows, and unknown ones that somebody wrote.
    pub(crate) fn settings(&mut self) -> Result<Vec<Setting>, Failure> {
        let doc = self.doc(&self.settings_id())?;
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
        let holding = *self.maintenance.settings();
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
                id: self.settings_id(),
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
    pub(super) fn open_settings(&mut self) -> Result<Vec<OpenConflict>, Failure> {
        let doc = self.doc(&self.settings_id())?;
        Ok(self.settings_conflicts(&self.folded(&doc)?))
    }

    /// Checks that this node may change the settings.
    pub(super) fn may_set(&self) -> Result<(), Failure> {
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

    /// Changes a setting; `None` restores the default. Writing the current value resolves a conflict about
    /// it.
    pub(crate) fn set(
        &mut self,
        origin: &Origin,
        key: &str,
        value: Option<String>,
    ) -> Result<Reply, Failure> {
        let mut wanted = Settings::default();
        let default = wanted.get(key).unwrap_or_default();
        wanted
            .set(key, value.as_deref().unwrap_or(&default))
            .map_err(usage)?;
        // In canonical form: `90m` and `5400s` are one value.
        let value = value.and_then(|_| wanted.get(key));
        self.may_set()?;
        let doc = self.doc(&self.settings_id())?;
        let folded = self.folded(&doc)?;
        let act = folded.settings().get(key).copied();
        let said = act.and_then(|act| folded.setting(&act));
        let contested = folded.view.conflicts.iter().any(|open| key_is(open, key));
        if said != value || contested {
            let key = key.to_owned();
            self.write_settings(vec![(Op::Set { key, value }, origin.clone())])?;
        }
        self.settings().map(Reply::Settings)
    }

    /// Resolves a conflict about a setting in favour of one side.
    pub(super) fn resolve_setting(
        &mut self,
        origin: &Origin,
        id: Option<&str>,
        keep: &str,
    ) -> Result<Reply, Failure> {
        let open = self.open_settings()?;
        let chosen = choose_conflict(&open, id)?;
        let keep = choose_side(chosen, keep)?;
        self.may_set()?;
        let doc = self.doc(&self.settings_id())?;
        let folded = self.folded(&doc)?;
        let over = folded.view.conflicts.iter().find(|one| one.id == chosen.id);
        let Some(over) = over.map(|one| one.register.clone()) else {
            return Err(conflict("this conflict was already resolved"));
        };
        self.write_settings(vec![(Op::Resolve { over, keep }, origin.clone())])?;
        self.settings().map(Reply::Settings)
    }

    fn write_settings(&mut self, ops: Vec<(Op, Origin)>) -> Result<(), Failure> {
        let at = self.now();
        let drafts = ops.into_iter().map(|(op, origin)| Draft {
            op,
            origin,
            at,
            request: None,
        });
        self.write(Work {
            item: Some(self.settings_id()),
            drafts: drafts.collect(),
            ..Work::default()
        })?;
        Ok(())
    }

    /// Writes settings from this node's own file, from when each node had settings of its own, if the project
    /// has never set them. Does nothing on nodes that may not change settings.
    pub(super) fn adopt_legacy_settings(
        &mut self,
        legacy_settings: Vec<(String, String)>,
    ) -> Result<bool, Failure> {
        if legacy_settings.is_empty() || self.may_set().is_err() {
            return Ok(false);
        }
        let doc = self.doc(&self.settings_id())?;
        let folded = self.folded(&doc)?;
        let known = folded.settings();
        let origin = Origin {
            kind: OriginKind::System,
            id: "config.toml".to_owned(),
        };
        let unsaid = legacy_settings.into_iter().filter(|(key, value)| {
            !known.contains_key(key.as_str()) && Settings::default().set(key, value).is_ok()
        });
        let set = |(key, value)| {
            (
                Op::Set {
                    key,
                    value: Some(value),
                },
                origin.clone(),
            )
        };
        let ops: Vec<_> = unsaid.map(set).collect();
        if ops.is_empty() {
            return Ok(false);
        }
        tracing::info!("settings of this node's config.toml were moved to the project; see `towline config`");
        self.write_settings(ops)?;
        Ok(true)
    }
}

fn key_is(open: &towline_crdt::view::Conflict, wanted: &str) -> bool {
    key(&open.register).is_some_and(|key| key == wanted)
}
