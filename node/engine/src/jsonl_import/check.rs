//! Validates a line of an export, which is untrusted input.
//!
//! Refuses what no node would admit, before anything is written, and computes the order of ties. Works on the
//! line alone.

use std::collections::{BTreeMap, BTreeSet};

use towline_api::export_line::{ActRef, ItemLine, SCHEMA, decode_op, is_reference};
use towline_proto::{Act, ActId, ItemId, Op, limits, text};

use super::act_index;

/// The largest number of an imported item; those above are left for later items.
const MAX_NUMBER: u32 = 999_999_999;

/// Checks a line; returns the position in the order of ties for each act that competed with another.
pub(super) fn check_line(line: &ItemLine) -> Result<BTreeMap<u32, u32>, String> {
    if line.schema != SCHEMA {
        let schema = text::show(&line.schema, 80);
        return Err(format!("its schema is {schema:?}; {SCHEMA:?} is expected"));
    }
    if !is_reference(&line.reference) {
        return Err("its `ref` is not `towline:<16 hex digits>/<32 hex digits>`".to_owned());
    }
    if line.number == 0 || line.number > MAX_NUMBER {
        return Err(format!(
            "its number is {}; it may be 1 to {MAX_NUMBER}",
            line.number
        ));
    }
    text::body(&line.body).map_err(|why| format!("invalid body: {why}"))?;
    if line.acts.len() > limits::ACTS_PER_ITEM {
        let max = limits::ACTS_PER_ITEM;
        return Err(format!(
            "it has {} acts; at most {max} fit into an item",
            line.acts.len()
        ));
    }
    let count = line.acts.len();
    for (at, act) in line.acts.iter().enumerate() {
        let wrong = |why: String| format!("act {at}, {}: {why}", text::show(&act.op, 40));
        if (at == 0) != (act.op == "create") {
            return Err(wrong(
                "the first act, and no other, must create the item".to_owned(),
            ));
        }
        if act.saw.len() >= limits::SAW_PER_ACT && act.saw.len() > limits::SAW_PER_ACT - usize::from(at == 0)
        {
            let (got, max) = (act.saw.len(), limits::SAW_PER_ACT);
            return Err(wrong(format!("it saw {got} acts; at most {max} are allowed")));
        }
        if let Some(seen) = act.saw.iter().filter_map(act_index).find(|seen| *seen >= at) {
            return Err(wrong(format!(
                "it cannot have seen act {seen}, which is not before it"
            )));
        }
        // The real ids are only known when it is written; any id will do to check the rest.
        let any_act = |act: ActRef| match act_index(&act) {
            Some(index) if index >= count => Err(format!("it refers to act {index}, which does not exist")),
            _ => Ok(ActId([0; 16])),
        };
        let op = decode_op(act, any_act, |_| Ok(ItemId([0; 16]))).map_err(wrong)?;
        let act = Act {
            op,
            saw: vec![ActId([0; 16]); act.saw.len()],
            at: act.at,
            origin: act.origin.clone(),
            nonce: None,
            request: None,
        };
        act.record().map_err(|why| wrong(why.to_string()))?;
        if let Op::Create { number, .. } = act.op
            && number != line.number
        {
            let made = line.number;
            return Err(wrong(format!("its number is {number}, but the line has {made}")));
        }
    }
    if count == 0 {
        return Err("it has no acts".to_owned());
    }
    tie_steps(line)
}

/// The topological order of the ties: every act gets the step after the last one that precedes it.
fn tie_steps(line: &ItemLine) -> Result<BTreeMap<u32, u32>, String> {
    let mut behind: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    let mut before: BTreeMap<u32, usize> = BTreeMap::new();
    for group in &line.ties {
        for act in group {
            if usize::try_from(*act).map_or(true, |act| act >= line.acts.len()) {
                return Err(format!("`ties` names act {act}, which does not exist"));
            }
            before.entry(*act).or_default();
        }
        for pair in group.windows(2) {
            if let [first, second] = pair
                && behind.entry(*first).or_default().insert(*second)
            {
                *before.entry(*second).or_default() += 1;
            }
        }
    }
    let mut steps: BTreeMap<u32, u32> = BTreeMap::new();
    let free = before.iter().filter(|(_, left)| **left == 0);
    let mut ready: Vec<u32> = free.map(|(act, _)| *act).collect();
    let mut done = 0;
    while let Some(act) = ready.pop() {
        done += 1;
        let step = *steps.entry(act).or_default();
        for next in behind.get(&act).into_iter().flatten() {
            let later = steps.entry(*next).or_default();
            *later = (*later).max(step.saturating_add(1));
            if let Some(left) = before.get_mut(next) {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    ready.push(*next);
                }
            }
        }
    }
    if done < before.len() {
        return Err("`ties` forms a cycle".to_owned());
    }
    Ok(steps)
}
