//! The routes of the JSON API, each with its description.
//!
//! The router and the OpenAPI document are made from this one list, so that neither has a route that the other lacks.

use std::sync::Arc;

use axum::routing::{MethodRouter, get, post};
use towline_api::document::schema;
use towline_api::request::fields::Form;

use super::{Web, api, events, openapi};

/// A parameter in the query of an address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) about: &'static str,
}

/// What a route takes and gives.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// It answers with a document of this schema.
    Reads {
        schema: &'static str,
        parameters: &'static [Parameter],
    },
    /// It resolves a conflict of the item in its path.
    Resolves,
    /// It takes any request.
    Requests,
    /// It sends events for as long as somebody listens.
    Streams,
}

/// A route of the API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    /// Its path, with the names of its parts in braces.
    pub(super) path: &'static str,
    /// Its name for programs that are generated from the description.
    pub(super) id: &'static str,
    pub(super) about: &'static str,
    pub(super) kind: Kind,
}

const fn text(name: &'static str, about: &'static str) -> Parameter {
    Parameter {
        name,
        form: Form::Text,
        about,
    }
}

const LIMIT: Parameter = Parameter {
    name: "limit",
    form: Form::Count,
    about: "At most so many; 100 when absent, at most 5000",
};
const ITEM: Parameter = text("item", "Only of this item");
const ALL: Parameter = Parameter {
    name: "all",
    form: Form::Flag,
    about: "What cannot be started too, with the reason",
};
const BOARD: &[Parameter] = &[
    text("tab", "`backlog`, `progress`, `done`, `archived` or `trash`"),
    text("kind", "Only this kind"),
    text("label", "Only with this label"),
    text("assignee", "Only of this assignee or claim holder"),
    text("status", "Only with this badge"),
    text("epic", "Only items of this epic"),
    text("text", "Only with these words in the title"),
];

/// Every route of the API.
pub(super) fn routes() -> Vec<(Route, MethodRouter<Arc<Web>>)> {
    let reads = |path, id, about, schema, parameters| Route {
        path,
        id,
        about,
        kind: Kind::Reads { schema, parameters },
    };
    let other = |path, id, about, kind| Route {
        path,
        id,
        about,
        kind,
    };
    vec![
        (
            reads(
                "/api/v1/projects",
                "projects",
                "The projects of this node",
                schema::PROJECTS,
                &[],
            ),
            get(api::projects),
        ),
        (
            reads(
                "/api/v1/projects/{project}/status",
                "status",
                "Counts and position",
                schema::STATUS,
                &[],
            ),
            get(api::status),
        ),
        (
            reads(
                "/api/v1/projects/{project}/items",
                "items",
                "Cards that pass a filter",
                schema::ITEMS,
                BOARD,
            ),
            get(api::items),
        ),
        (
            reads(
                "/api/v1/projects/{project}/items/{item}",
                "item",
                "One item in full; 300 with all of them where several share the number",
                schema::ITEM_PAGE,
                &[],
            ),
            get(api::item),
        ),
        (
            reads(
                "/api/v1/projects/{project}/items/{item}/explain",
                "explain",
                "Why an item is in its state",
                schema::EXPLANATIONS,
                &[],
            ),
            get(api::explain),
        ),
        (
            other(
                "/api/v1/projects/{project}/items/{item}/settle",
                "resolve",
                "Resolve a conflict of an item",
                Kind::Resolves,
            ),
            post(api::resolve),
        ),
        (
            reads(
                "/api/v1/projects/{project}/conflicts",
                "conflicts",
                "Unresolved conflicts, oldest first",
                schema::CONFLICTS,
                const { &[ITEM] },
            ),
            get(api::conflicts),
        ),
        (
            reads(
                "/api/v1/projects/{project}/ready",
                "ready",
                "What somebody can start now, best first",
                schema::ITEMS,
                const { &[text("asker", "For whom; the caller when absent"), ALL] },
            ),
            get(api::ready),
        ),
        (
            reads(
                "/api/v1/projects/{project}/search",
                "search",
                "Items that contain all of the words",
                schema::ITEMS,
                const { &[text("q", "The words"), LIMIT] },
            ),
            get(api::search),
        ),
        (
            reads(
                "/api/v1/projects/{project}/log",
                "log",
                "The timeline, newest last",
                schema::HISTORY,
                const { &[ITEM, LIMIT] },
            ),
            get(api::log),
        ),
        (
            reads(
                "/api/v1/projects/{project}/members",
                "members",
                "Members and open invitations",
                schema::MEMBERS,
                &[],
            ),
            get(api::members),
        ),
        (
            reads(
                "/api/v1/projects/{project}/peers",
                "peers",
                "Connected peers",
                schema::PEERS,
                &[],
            ),
            get(api::peers),
        ),
        (
            other(
                "/api/v1/projects/{project}/requests",
                "request",
                "Send a request: a query, a command, or what of administration is allowed over HTTP",
                Kind::Requests,
            ),
            post(api::requests),
        ),
        (
            other("/api/v1/events", "events", "Events as they happen", Kind::Streams),
            get(events::serve),
        ),
        (
            other(
                "/openapi.json",
                "openapi",
                "This document",
                Kind::Reads {
                    schema: openapi::ITSELF,
                    parameters: &[],
                },
            ),
            get(openapi::serve),
        ),
    ]
}
