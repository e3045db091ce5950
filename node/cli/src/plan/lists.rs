//! Plans of commands that list items: which items, how many, in which order.
//!
//! As in the rest of the plan, nothing is asked here.

use towline_api::request::{Failure, Filter, Query};
use towline_proto::Millis;

use super::{ColumnSelection, Layout, Plan};
use crate::args::{
    BoardArgs, FieldFilterArgs, FilterArgs, ListArgs, ListingArgs, ReadyArgs, SearchArgs, Since,
};
use crate::context::Context;
use crate::listing::Listing;

pub(super) fn ready(ctx: &Context, args: &ReadyArgs) -> Result<Plan, Failure> {
    let me = || ctx.origin().ok().map(|origin| origin.id);
    let (asker, all) = (args.holder.clone().or_else(me), args.all);
    let listing = Listing {
        ready: true,
        ..listing(&args.listing)
    };
    let mut plan = Plan::read(Query::Ready { asker, all }, Layout::Ready(listing));
    if !args.filter.is_empty() {
        plan.among = Some(Query::List(fields(ctx, &args.filter)?).into());
    }
    Ok(plan)
}

pub(super) fn list(ctx: &Context, args: &ListArgs) -> Result<Plan, Failure> {
    // All of them, so that the headings can count them.
    let filter = filter(ctx, &args.filter)?;
    Ok(Plan::read(
        Query::List(filter),
        Layout::Columns(listing(&args.listing)),
    ))
}

pub(super) fn board(ctx: &Context, args: &BoardArgs) -> Result<Plan, Failure> {
    let only = ColumnSelection::of(&args.filter.columns);
    let filter = filter(ctx, &args.filter)?;
    let most = args.limit;
    Ok(Plan::read(Query::List(filter), Layout::Board { most, only }))
}

pub(super) fn search(args: &SearchArgs) -> Plan {
    let text = args.words.join(" ");
    let listing = Listing {
        most: Some(args.limit),
        ..Listing::default()
    };
    let limit = usize::MAX;
    Plan::read(Query::Search { text, limit }, Layout::Columns(listing))
}

fn listing(args: &ListingArgs) -> Listing {
    Listing {
        most: args.limit,
        sort: args.sort,
        ready: false,
    }
}

fn filter(ctx: &Context, args: &FilterArgs) -> Result<Filter, Failure> {
    Ok(Filter {
        columns: args.columns.clone(),
        statuses: args.statuses.clone(),
        all: args.all,
        deleted: args.deleted,
        ..fields(ctx, &args.fields)?
    })
}

fn fields(ctx: &Context, args: &FieldFilterArgs) -> Result<Filter, Failure> {
    let assignee = match args.mine {
        true => Some(ctx.origin()?.id),
        false => args.assignee.clone(),
    };
    let since = |since: &Option<Since>| {
        let view = &ctx.view;
        since
            .as_ref()
            .map_or(Millis(0), |since| since.resolve(view.now, &view.zone))
    };
    Ok(Filter {
        kinds: args.kinds.clone(),
        labels: args.labels.clone(),
        assignee,
        priorities: args.priorities.clone(),
        epic: args.epic.clone(),
        text: args.text.clone(),
        updated_since: since(&args.updated),
        created_since: since(&args.created),
        ..Filter::default()
    })
}
