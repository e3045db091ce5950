//! Real nodes in one process, each with its home, its threads and its swarm on the loopback.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use towline_api::request::{Administration, Command, NewItem, Query, Reply, Request, Transition};
use towline_api::types::ItemCard;
use towline_engine::in_home::make_project;
use towline_node::node::Node;
use towline_proto::{Column, Origin, OriginKind, ProjectId, Role, Ticket, Verb};
use towline_store::home::settings::{ClaimTtl, Settings};
use towline_store::home::{self, Config, Home, key};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn config(name: &str) -> Config {
    let listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
    Config {
        node_name: name.to_owned(),
        listen,
        // Nodes of other tests are on this machine, too.
        mdns: false,
        ..Config::default()
    }
}

struct Actor {
    name: &'static str,
    node: Arc<Node>,
    project: ProjectId,
}

async fn start(root: &Path, name: &'static str) -> Arc<Node> {
    start_with(root, &config(name)).await
}

async fn start_with(root: &Path, config: &Config) -> Arc<Node> {
    let home = Home::at(root);
    let lock = home.lock("test").unwrap();
    let seed = key::load(&home.key_file()).unwrap();
    Node::start(home, lock, config, seed).await.unwrap()
}

/// A node that founds a project.
async fn founder(root: &Path, name: &'static str) -> Actor {
    let (home, seed, _) = home::init::init(root, &config(name)).unwrap();
    let place = make_project(&home, &seed, "demo", name).unwrap();
    Actor {
        name,
        node: start(root, name).await,
        project: place.id,
    }
}

impl Actor {
    fn origin(&self) -> Origin {
        Origin::new(OriginKind::User, self.name).unwrap()
    }

    async fn ask(&self, request: Request) -> Reply {
        self.node
            .handle()
            .request(&self.project, Some(self.origin()), request)
            .await
            .unwrap()
    }

    async fn create(&self, title: &str) {
        let new = serde_json::json!({ "kind": "bug", "title": title });
        self.ask(Request::Command(Command::Create(
            serde_json::from_value::<NewItem>(new).unwrap(),
        )))
        .await;
    }

    async fn does(&self, item: &str, verb: Verb) {
        self.ask(Request::Command(Command::Transition(Transition::plain(
            item, verb,
        ))))
        .await;
    }

    async fn export(&self) -> String {
        let Reply::Lines(lines) = self
            .ask(Request::Administration(Administration::ExportLines {
                offset: 0,
                limit: 500,
            }))
            .await
        else {
            panic!()
        };
        let mut out = Vec::new();
        towline_interchange::export::jsonl::write(lines, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    async fn digest(&self) -> String {
        let Reply::Status(status) = self.ask(Request::Query(Query::Status)).await else {
            panic!()
        };
        status.digest
    }

    async fn invite(&self, role: Role) -> Ticket {
        let Reply::Ticket { ticket, .. } = self
            .ask(Request::Administration(Administration::Invite {
                role,
                valid_ms: 60_000,
            }))
            .await
        else {
            panic!()
        };
        ticket.parse().unwrap()
    }

    async fn stops(self) {
        self.node.stop().await;
    }
}

/// A new node that joins by a ticket.
async fn joiner(root: &Path, name: &'static str, ticket: &Ticket) -> Actor {
    home::init::init(root, &config(name)).unwrap();
    let node = start(root, name).await;
    let link = timeout(PATIENCE, node.join(ticket)).await.unwrap().unwrap();
    Actor {
        name,
        node,
        project: link.id,
    }
}

/// Waits until both hold the same entries.
async fn converge(a: &Actor, b: &Actor) {
    let same = async {
        while a.digest().await != b.digest().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, same)
        .await
        .expect("the nodes hold the same in the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_joined_by_a_ticket_converge_also_after_they_were_apart() {
    let (ann_root, bo_root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ann = founder(ann_root.path(), "ann").await;
    ann.create("Made before Bo came").await;
    let ticket = ann.invite(Role::Writer).await;
    let bo = joiner(bo_root.path(), "bo", &ticket).await;
    converge(&ann, &bo).await;
    bo.create("Made by Bo").await;
    converge(&ann, &bo).await;
    ann.create("Made by Ann, live").await;
    converge(&ann, &bo).await;
    assert_eq!(ann.export().await.lines().count(), 3);
    assert_eq!(ann.export().await, bo.export().await);

    bo.stops().await;
    ann.does("1", Verb::Start).await;
    ann.create("Made while Bo was away").await;
    ann.stops().await;

    let project = ticket.project;
    let bo = Actor {
        name: "bo",
        node: start(bo_root.path(), "bo").await,
        project,
    };
    bo.does("1", Verb::Freeze).await;
    bo.create("Made while Ann was away").await;
    let ann = Actor {
        name: "ann",
        node: start(ann_root.path(), "ann").await,
        project,
    };
    // Nobody tells them where the other is: each comes back where it was.
    converge(&ann, &bo).await;
    let export = ann.export().await;
    assert_eq!(export, bo.export().await, "byte for byte");
    let Reply::Cards(cards) = ann.ask(Request::Query(Query::List(Default::default()))).await else {
        panic!()
    };
    let first = cards.iter().find(|card| card.handle == "1").unwrap();
    assert_eq!((first.column, first.holds.frozen), (Column::Coding, true));
    let handles: Vec<_> = cards
        .iter()
        .map(|card| card.handle.as_str())
        .filter(|handle| handle.starts_with('4'))
        .collect();
    assert_eq!(handles.len(), 2);
    assert!(handles.contains(&"4a") && handles.contains(&"4b"), "{handles:?}");
    ann.stops().await;
    bo.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_works_once_and_a_reader_cannot_write() {
    let roots = [
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    ];
    let ann = founder(roots[0].path(), "ann").await;
    let ticket = ann.invite(Role::Reader).await;
    let bo = joiner(roots[1].path(), "bo", &ticket).await;
    converge(&ann, &bo).await;

    home::init::init(roots[2].path(), &config("cy")).unwrap();
    let cy = start(roots[2].path(), "cy").await;
    let refused = timeout(PATIENCE, cy.join(&ticket)).await.unwrap().unwrap_err();
    assert_eq!(refused.code.exit(), 4, "{refused}");
    assert!(
        refused.message.contains("used or revoked") || refused.message.contains("let in"),
        "{refused}"
    );
    assert!(cy.handle().projects().is_empty());

    let new = serde_json::json!({ "kind": "bug", "title": "Not mine to make" });
    let create = Request::Command(Command::Create(serde_json::from_value::<NewItem>(new).unwrap()));
    let refused = bo
        .node
        .handle()
        .request(&bo.project, Some(bo.origin()), create)
        .await
        .unwrap_err();
    assert_eq!(refused.code.exit(), 4);
    assert!(refused.message.contains("reader"), "{refused}");
    cy.stop().await;
    bo.stops().await;
    ann.stops().await;
}

impl Actor {
    async fn card(&self, item: &str) -> ItemCard {
        match self.ask(Request::Query(Query::Show { item: item.into() })).await {
            Reply::Page(page) => page.card,
            other => panic!("{other:?}"),
        }
    }

    async fn takes_over(&self, item: &str) -> Result<Reply, towline_api::request::Failure> {
        self.tries(Request::Command(Command::Transition(Transition::plain(
            item,
            Verb::TakeOver,
        ))))
        .await
    }

    async fn tries(&self, request: Request) -> Result<Reply, towline_api::request::Failure> {
        let handle = self.node.handle();
        handle.request(&self.project, Some(self.origin()), request).await
    }
}

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.expect(what);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_claim_of_a_living_node_is_its_own_and_that_of_a_dead_one_can_be_taken_over() {
    /// Short, so that its end can be waited for; a file would not be taken with it.
    const TTL: Duration = Duration::from_secs(2);
    let quick = |name| Config {
        settings_override: Some(Settings {
            claim_ttl: ClaimTtl(TTL),
            ..Settings::default()
        }),
        ..config(name)
    };
    let (ann_root, bo_root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (home, seed, _) = home::init::init(ann_root.path(), &config("ann")).unwrap();
    let project = make_project(&home, &seed, "demo", "ann").unwrap().id;
    let ann = Actor {
        name: "ann",
        node: start_with(ann_root.path(), &quick("ann")).await,
        project,
    };
    let ticket = ann.invite(Role::Writer).await;
    home::init::init(bo_root.path(), &config("bo")).unwrap();
    let node = start_with(bo_root.path(), &quick("bo")).await;
    timeout(PATIENCE, node.join(&ticket)).await.unwrap().unwrap();
    let bo = Actor {
        name: "bo",
        node,
        project,
    };
    ann.create("Worked on by Ann").await;
    ann.does("1", Verb::Start).await;
    converge(&ann, &bo).await;

    until("bo hears of ann's node", async || {
        bo.card("1").await.claim_heard.is_some()
    })
    .await;
    let first = bo.card("1").await.claim_heard.unwrap();
    let later = first.plus(2 * u64::try_from(TTL.as_millis()).unwrap());
    until("and again, for longer than it takes", async || {
        bo.card("1").await.claim_heard.unwrap() > later
    })
    .await;
    let refused = bo.takes_over("1").await.unwrap_err();
    assert_eq!(refused.code.exit(), 5, "{refused}");
    assert!(refused.message.contains("was last seen"), "{refused}");
    let before = bo.digest().await;
    assert_eq!(before, ann.digest().await, "saying so has written nothing");

    ann.stops().await;
    until("the claim can be taken over", async || {
        bo.takes_over("1").await.is_ok()
    })
    .await;
    let card = bo.card("1").await;
    let claim = card.claim.unwrap();
    assert_eq!((claim.holder.as_str(), claim.generation), ("bo", 2));
    let last = bo.export().await;
    assert!(last.contains("take-over"), "{last}");
    bo.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_starts_on_a_node_that_hears_of_the_last_thing_it_waited_for() {
    let (ann_root, bo_root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ann = founder(ann_root.path(), "ann").await;
    let ticket = ann.invite(Role::Writer).await;
    home::init::init(bo_root.path(), &config("bo")).unwrap();
    let auto = |value: &str| {
        Request::Command(Command::Set {
            key: "promote".to_owned(),
            value: Some(value.to_owned()),
        })
    };
    ann.ask(auto("auto")).await;
    let node = start_with(bo_root.path(), &config("bo")).await;
    timeout(PATIENCE, node.join(&ticket)).await.unwrap().unwrap();
    let bo = Actor {
        name: "bo",
        node,
        project: ann.project,
    };
    converge(&ann, &bo).await;
    let refused = bo.tries(auto("manual")).await.unwrap_err();
    assert_eq!(refused.code.exit(), 4, "{refused}");
    ann.create("First").await;
    let new = serde_json::json!({ "kind": "bug", "title": "Waits", "depends_on": ["1"] });
    ann.ask(Request::Command(Command::Create(
        serde_json::from_value::<NewItem>(new).unwrap(),
    )))
    .await;
    ann.does("1", Verb::Merged).await;
    until("it starts, and ann sees it", async || {
        ann.card("2").await.column == Column::Coding
    })
    .await;
    ann.stops().await;
    bo.stops().await;
}
