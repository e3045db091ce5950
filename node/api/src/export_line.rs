//! One item as a line of an export, schema `towline.export/v1`: first its state, then all
//! its acts.
//!
//! Nothing in a line depends on the signer: acts are named by their place in the line, items by their handles. The same acts written again under another key give the same line. This
//! file translates operations between the two ways of naming and decides nothing; lines are made and
//! taken by `towline-engine`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use towline_crdt::view::Link;
use towline_proto::stage::Holds;
use towline_proto::{
    ActId, Column, CriterionState, ItemId, Kind, LinkKind, Millis, Op, Origin, ProjectId, Qa, Register,
    RequestId, Rule, Status, ids,
};

/// The schema of a line, its first field.
pub const SCHEMA: &str = "towline.export/v1";
/// What the reference of every line begins with; links of this shape are kept for imports.
const TRACKER: &str = "towline:";
/// Bytes of a project's id in a reference.
const PROJECT_BYTES: usize = 8;

/// One item. The fields up to `body` are derived from `acts`; an import reads the acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemLine {
    /// [`SCHEMA`].
    pub schema: String,
    /// Where the item was first made: the project and the item, `towline:<16 hex>/<32 hex>`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// What to type for it.
    pub handle: String,
    /// The number alone.
    pub number: u32,
    /// What sort of work.
    pub kind: Kind,
    /// One line.
    pub title: String,
    /// Its column.
    pub column: Column,
    /// The one badge.
    pub status: Status,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<LineClosing>,
    /// What holds it.
    pub holds: Holds,
    /// In the trash.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// 0 (highest) to 4.
    pub priority: u8,
    /// Who passes it through QA.
    pub qa: Qa,
    /// Sorted.
    pub labels: Vec<String>,
    /// A person or agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// Who works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<LineClaim>,
    /// Its epic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epic: Option<String>,
    /// What must be done first.
    pub depends_on: Vec<String>,
    /// Links; those of kind `related` name an item.
    pub links: Vec<Link>,
    /// Acceptance criteria, in the order of their acts.
    pub criteria: Vec<LineCriterion>,
    /// How often it was sent back.
    pub retries: u32,
    /// Unresolved conflicts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<LineConflict>,
    /// Facts that contradict its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attention: Vec<String>,
    /// Acts that never took effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<LineRefused>,
    /// Who asked for it.
    pub origin: Origin,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// Since when it is in its column.
    pub entered_at: Millis,
    /// Markdown.
    pub body: String,
    /// Competing acts; in each group, the order in which ties are broken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ties: Vec<Vec<u32>>,
    /// Everything that was done to it: each act behind those that it names.
    pub acts: Vec<LineAct>,
}

/// The schema of the line of a project's settings.
pub const SETTINGS_SCHEMA: &str = "towline.settings/v1";

/// The settings of a project, in front of its items: first what they come to, then everything that was done
/// to them, as in a line of an item. An export of a project in which nobody set anything has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsLine {
    /// [`SETTINGS_SCHEMA`].
    pub schema: String,
    /// The values, by name; none where the default was restored.
    pub settings: BTreeMap<String, Option<String>>,
    /// Unresolved conflicts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<LineConflict>,
    /// As in [`ItemLine`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ties: Vec<Vec<u32>>,
    /// Everything that was done to them, behind the act that every project's settings begin with.
    pub acts: Vec<LineAct>,
}

/// How an item ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "kebab-case")]
pub enum LineClosing {
    /// Nobody is going to do it.
    Abandoned,
    /// Another item took its place.
    Superseded {
        /// Which.
        by: String,
    },
    /// It should not be done.
    Rejected {
        /// Why.
        reason: String,
    },
}

/// A claim without the node that it was made on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineClaim {
    /// Who.
    pub holder: String,
    /// Its fencing number.
    pub generation: u32,
    /// Since when.
    pub at: Millis,
}

/// An acceptance criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCriterion {
    /// The act that added it.
    pub act: ActRef,
    /// What must be true of the work.
    pub text: String,
    /// How far it is.
    pub state: CriterionState,
    /// References to what proves it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

/// An open conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineConflict {
    /// What about.
    pub about: Value,
    /// The rule that chose.
    pub rule: Rule,
    /// What takes effect.
    pub winner: ActRef,
    /// What does not.
    pub losers: Vec<ActRef>,
    /// When the youngest of them was made.
    pub since: Millis,
}

/// An act that never took effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineRefused {
    /// Which.
    pub act: ActRef,
    /// Why.
    pub why: String,
}

/// One act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineAct {
    /// What was done.
    pub op: String,
    /// With what.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
    /// When, by its author's clock.
    pub at: Millis,
    /// Who asked for it.
    pub origin: Origin,
    /// The acts that its author had in front of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub saw: Vec<ActRef>,
    /// The request that it does, where its asker named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
}

/// An act of the line by its place, counted from 0; by its id where the item has no such act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ActRef {
    /// Its place.
    At(u32),
    /// Its id.
    Id(ActId),
}

/// The reference of an item that was made in a project.
pub fn reference(project: &ProjectId, item: &ItemId) -> String {
    format!("{}{item}", reference_prefix(project))
}

/// What the references of a project's own items begin with.
fn reference_prefix(project: &ProjectId) -> String {
    let project = project.0.get(..PROJECT_BYTES).unwrap_or_default();
    format!("{TRACKER}{}/", ids::to_hex(project))
}

/// The item that a reference names, where it was made in this project.
pub fn local_item(project: &ProjectId, reference: &str) -> Option<ItemId> {
    reference.strip_prefix(&reference_prefix(project))?.parse().ok()
}

/// Whether a link's target is the reference of a line.
pub fn is_reference(target: &str) -> bool {
    let Some((project, item)) = target.strip_prefix(TRACKER).and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    ids::from_hex::<PROJECT_BYTES>(project).is_some() && item.parse::<ItemId>().is_ok()
}

/// The digest that marks an item as brought up to date from a line.
pub fn digest(line: &ItemLine) -> String {
    let bytes = serde_json::to_vec(line).unwrap_or_default();
    let hash = blake3::derive_key("towline/export-line/1", &bytes);
    format!("{TRACKER}{}", ids::to_hex(hash.get(..16).unwrap_or_default()))
}

/// Whether an operation only says where an item came from; such are no part of a line.
pub fn is_import_mark(op: &Op) -> bool {
    match op {
        Op::AddLink {
            kind: LinkKind::External,
            target,
        }
        | Op::RemoveLink {
            kind: LinkKind::External,
            target,
        } => is_reference(target),
        Op::MarkImport { digest, .. } => digest.starts_with(TRACKER),
        _ => false,
    }
}

/// A link that says which project an item came from.
pub fn is_import_mark_link(link: &Link) -> bool {
    link.kind == LinkKind::External && is_reference(&link.target)
}

/// The name and arguments of an operation, with acts and items named as lines name them.
pub fn encode_op(
    op: &Op,
    act: impl Fn(&ActId) -> ActRef,
    item: impl Fn(&ItemId) -> String,
) -> (String, Map<String, Value>) {
    let Ok(Value::Object(mut with)) = serde_json::to_value(op) else {
        return ("unknown".to_owned(), Map::new());
    };
    let name = match with.remove("e") {
        Some(Value::String(name)) => name,
        _ => "unknown".to_owned(),
    };
    let mut put = |key: &str, value: Value| drop(with.insert(key.to_owned(), value));
    let number = |act: ActRef| serde_json::to_value(act).unwrap_or_default();
    match op {
        Op::Supersede { by } => put("by", item(by).into()),
        Op::SetEpic { epic: Some(epic) } => put("epic", item(epic).into()),
        Op::AddDependency { on } | Op::RemoveDependency { on } => put("on", item(on).into()),
        Op::SetCriterion { criterion, .. } => put("criterion", number(act(criterion))),
        Op::Resolve { over, keep } => {
            put("keep", number(act(keep)));
            put("over", encode_register(over, act));
        }
        Op::AddLink {
            kind: LinkKind::Related,
            target,
        }
        | Op::RemoveLink {
            kind: LinkKind::Related,
            target,
        } => {
            let named = target.parse().map(|id: ItemId| item(&id));
            with.remove("target");
            let (key, value) = match named {
                Ok(handle) => ("item", handle),
                Err(_) => ("target", target.clone()),
            };
            with.insert(key.to_owned(), value.into());
        }
        _ => {}
    }
    (name, with)
}

/// A register as lines name it.
pub fn encode_register(register: &Register, act: impl Fn(&ActId) -> ActRef) -> Value {
    match register {
        Register::Criterion(criterion) => serde_json::json!({ "criterion": act(criterion) }),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

/// The operation that a line's act names.
///
/// # Errors
/// What is wrong with it.
pub fn decode_op(
    act_line: &LineAct,
    act: impl Fn(ActRef) -> Result<ActId, String>,
    item: impl Fn(&str) -> Result<ItemId, String>,
) -> Result<Op, String> {
    let mut with = act_line.with.clone();
    let wrong = |what: &str| format!("`{what}` is missing or of a wrong type");
    let by_place = |value: &Value, what: &str| -> Result<Value, String> {
        let place = serde_json::from_value(value.clone()).map_err(|_| wrong(what))?;
        Ok(act(place)?.to_string().into())
    };
    let id_of = |value: &Value, what: &str| -> Result<Value, String> {
        let handle = value.as_str().ok_or_else(|| wrong(what))?;
        Ok(item(handle)?.to_string().into())
    };
    let items: &[&str] = match act_line.op.as_str() {
        "supersede" => &["by"],
        "set-epic" if with.contains_key("epic") => &["epic"],
        "add-dependency" | "remove-dependency" => &["on"],
        _ => &[],
    };
    for key in items {
        let value = id_of(with.get(*key).unwrap_or(&Value::Null), key)?;
        with.insert((*key).to_owned(), value);
    }
    let acts: &[&str] = match act_line.op.as_str() {
        "settle" => &["keep"],
        "set-criterion" => &["criterion"],
        _ => &[],
    };
    for key in acts {
        let value = by_place(with.get(*key).unwrap_or(&Value::Null), key)?;
        with.insert((*key).to_owned(), value);
    }
    if let Some(Value::Object(over)) = with.get_mut("over")
        && let Some(criterion) = over.get_mut("criterion")
    {
        *criterion = by_place(criterion, "over")?;
    }
    if matches!(act_line.op.as_str(), "add-link" | "remove-link")
        && let Some(handle) = with.remove("item")
    {
        let value = id_of(&handle, "item")?;
        with.insert("target".to_owned(), value);
    }
    with.insert("e".to_owned(), act_line.op.clone().into());
    let op: Op = serde_json::from_value(Value::Object(with)).map_err(|error| error.to_string())?;
    if op == Op::Unknown && act_line.op != "unknown" {
        return Err("this version of towline does not know this operation".to_owned());
    }
    if is_import_mark(&op) {
        return Err("links and digests that begin with `towline:` are reserved for imports".to_owned());
    }
    Ok(op)
}

/// Whether an act's arguments name items of the project, by what people type for them.
pub fn items_named(act_line: &LineAct) -> impl Iterator<Item = &str> {
    let keys: &[&str] = match act_line.op.as_str() {
        "supersede" => &["by"],
        "set-epic" => &["epic"],
        "add-dependency" | "remove-dependency" => &["on"],
        "add-link" | "remove-link" => &["item"],
        _ => &[],
    };
    let named = keys.iter().filter_map(|key| act_line.with.get(*key)?.as_str());
    named.filter(|name| name.parse::<ItemId>().is_err())
}
