//! The gateway against a real homeserver: nothing lost, nothing twice, in order, and commands.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use towline_engine::handle::NodeHandle;
use towline_gateway::Gateway;
use towline_gateway::config::GatewayConfig;
use towline_proto::Column;
use towline_tests::breaker::Breaker;
use towline_tests::gateway;
use towline_tests::memory::{MemoryProject, node, user};
use towline_tests::person::{PASSWORD, Person};
use towline_tests::synapse::{Limits, Synapse};

/// Time for anything to happen.
const PATIENCE: Duration = Duration::from_secs(90);

/// A homeserver with Ann, the bot and a room, and a project "demo" on a node.
struct World {
    synapse: Synapse,
    ann: Person,
    bot: Person,
    room: String,
    handle: NodeHandle,
    demo: MemoryProject,
    dir: tempfile::TempDir,
}

impl World {
    async fn new(limits: Limits) -> Self {
        let synapse = Synapse::start(limits).await;
        let (ann, bot) = (synapse.person("ann").await, synapse.person("towline").await);
        let room = ann.room(&[&bot]).await;
        let handle = node();
        Self {
            demo: MemoryProject::add_to(&handle, "demo"),
            dir: tempfile::tempdir().unwrap(),
            synapse,
            ann,
            bot,
            room,
            handle,
        }
    }

    fn config(&self, url: &str, more: &str) -> GatewayConfig {
        let Self { room, bot, ann, .. } = self;
        GatewayConfig::parse(&format!(
            r#"
            [matrix]
            homeserver = "{url}"
            user = "{}"
            password = "{PASSWORD}"
            rooms = [{{ room = "{room}" }}]
            {more}
            [[matrix.users]]
            id = "{}"
            role = "operator"
            "#,
            bot.id, ann.id
        ))
        .unwrap()
    }

    fn gateway(&self, url: &str) -> Gateway {
        self.gateway_with(url, "")
    }

    fn gateway_with(&self, url: &str, more: &str) -> Gateway {
        start(&self.handle, self.config(url, more), self.dir.path())
    }

    async fn hears(&self, count: usize) -> Vec<String> {
        self.ann.hears(&self.room, &self.bot.id, count).await
    }

    /// Waits until the relay has its place in the feed: what comes later is news to it.
    async fn listening(&self, gateway: &Gateway) {
        until("the delivery has started", || gateway.deliveries().len() == 1).await;
    }

    async fn delivered(&self) {
        let subscriber = format!("relay:matrix:{}", self.room);
        until("everything is recorded as delivered", || {
            self.demo.cursor(&subscriber) == Some(self.demo.head())
        })
        .await;
    }
}

fn start(handle: &NodeHandle, config: GatewayConfig, dir: &Path) -> Gateway {
    Gateway::start(handle.clone(), config, dir, CancellationToken::new()).unwrap()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    gateway::until(what, async || holds().then_some(())).await;
}

#[tokio::test]
async fn each_transition_is_one_line_also_when_the_homeserver_was_away() {
    let mut world = World::new(Limits::Raised).await;
    let old = world.demo.create("Made before anybody listened");
    let gateway = world.gateway(&world.synapse.url());
    world.listening(&gateway).await;

    let first = world.demo.create("Fix <login> & \"logout\"");
    let mut expected = vec![format!(
        "demo/{first} Fix <login> & \"logout\": new story in backlog (ann)"
    )];
    assert_eq!(world.hears(1).await, expected);
    for column in [Column::Coding, Column::Qa] {
        let from = world.demo.column(first);
        world.demo.moves(first, column);
        expected.push(format!(
            "demo/{first} Fix <login> & \"logout\": {from} → {column} (ann)"
        ));
        assert_eq!(world.hears(expected.len()).await, expected);
    }
    world.delivered().await;

    world.synapse.down().await;
    world.demo.moves(first, Column::Merge);
    until("the gateway notices that the homeserver is gone", || {
        gateway
            .deliveries()
            .iter()
            .any(|delivery| delivery.error.is_some())
    })
    .await;
    // This line is on its way; what else happens while nobody listens comes to one line per item.
    world.demo.moves(old, Column::Coding);
    world.demo.moves(old, Column::Qa);
    world.synapse.up().await;

    expected.push(format!("demo/{first} Fix <login> & \"logout\": qa → merge (ann)"));
    expected.push(format!(
        "demo/{old} Made before anybody listened: backlog → coding → qa (ann)"
    ));
    assert_eq!(world.hears(expected.len()).await, expected);
    world.delivered().await;
    assert_eq!(world.hears(expected.len()).await, expected);
    gateway.stop().await;
}

#[tokio::test]
async fn a_gateway_that_dies_between_sending_and_recording_neither_loses_nor_repeats() {
    const DEATHS: usize = 20;
    let world = World::new(Limits::Raised).await;
    let breaker = Breaker::to(world.synapse.port()).await.unwrap();
    let item = world.demo.create("Survive");
    let mut gateway = world.gateway(&breaker.url());
    world.listening(&gateway).await;

    let mut expected = Vec::new();
    for death in 0..DEATHS {
        let (from, to) = match death % 2 {
            0 => (world.demo.column(item), Column::Coding),
            _ => (Column::Coding, Column::Qa),
        };
        breaker.lose_next_answer();
        world.demo.moves(item, to);
        expected.push(format!("demo/{item} Survive: {from} → {to} (ann)"));
        timeout(PATIENCE, breaker.lost()).await.expect("a line was sent");
        gateway.abort().await;
        gateway = world.gateway(&breaker.url());
        // While it was dead something else happened, so that its events could be grouped anew.
        if death % 5 == 4 {
            let other = world.demo.create(&format!("Made after death {death}"));
            expected.push(format!(
                "demo/{other} Made after death {death}: new story in backlog (ann)"
            ));
        }
        world.hears(expected.len()).await;
    }
    world.delivered().await;
    assert_eq!(world.hears(expected.len()).await, expected);
    gateway.stop().await;
}

#[tokio::test]
async fn a_homeserver_that_throttles_gets_every_line_in_order() {
    const ITEMS: usize = 13;
    let world = World::new(Limits::Default).await;
    let gateway = world.gateway(&world.synapse.url());
    world.listening(&gateway).await;
    let mut expected = Vec::new();
    for count in 0..ITEMS {
        let item = world.demo.create(&format!("Item {count}"));
        expected.push(format!("demo/{item} Item {count}: new story in backlog (ann)"));
    }
    // Ten are taken at once; the next is refused with the time to wait.
    until("a line was refused", || {
        gateway.deliveries().iter().any(|delivery| {
            delivery
                .error
                .as_ref()
                .is_some_and(|why| why.contains("M_LIMIT_EXCEEDED"))
        })
    })
    .await;
    assert_eq!(world.hears(ITEMS).await, expected);
    world.delivered().await;
    gateway.stop().await;
}

#[tokio::test]
async fn people_command_from_the_room_as_far_as_their_role_goes() {
    let world = World::new(Limits::Raised).await;
    let World { ann, bot, room, .. } = &world;
    let eve = world.synapse.person("eve").await;
    let url = world.synapse.url();
    let first = world.demo.create("Fix login");
    let gateway = world.gateway(&url);
    // The room's history before the bot came is nobody's command, so Ann waits for its first line.
    world.listening(&gateway).await;
    world.demo.moves(first, Column::Coding);
    world.hears(1).await;
    until("the bot reads the room", || {
        world.dir.path().join("matrix-session.json").exists()
    })
    .await;

    let moved = said_until_seen(ann, room, bot, &format!("!move {first} qa")).await;
    assert_eq!(ann.sees_reaction(room, &bot.id, &moved).await, "✅");
    assert_eq!(world.demo.column(first), Column::Qa);
    assert_eq!(world.demo.last_origin(), Some(user(&ann.id)));
    let told = world.hears(2).await;
    assert_eq!(
        told[1],
        format!("demo/{first} Fix login: coding → qa ({})", ann.id)
    );

    let again = ann
        .say(room, &format!("towline: move demo/{first} qa please"))
        .await;
    let told = world.hears(3).await;
    assert!(told[2].contains("Possible now"), "{told:?} after {again}");

    // Eve is in nobody's list: she may look, not touch.
    let other = ann.room(&[bot, &eve]).await;
    eve.join(&other).await;
    gateway.stop().await;
    let inviter = format!("allow_inviters = [{:?}]\nstale_after_s = 5", ann.id);
    let gateway = world.gateway_with(&url, &inviter);
    let greeting = said_until_heard(&eve, &other, bot, "!show 1").await;
    assert!(greeting.contains("Fix login"), "{greeting}");
    eve.say(&other, "!move 1 merge").await;
    let told = eve.hears(&other, &bot.id, 2).await;
    assert!(told.last().unwrap().contains("operator"), "{told:?}");
    assert_eq!(world.demo.column(first), Column::Qa);

    // What was said while the gateway was away is not done late.
    gateway.stop().await;
    let stale = Instant::now() + Duration::from_secs(8);
    ann.say(room, "!move 1 merge").await;
    tokio::time::sleep_until(stale).await;
    let gateway = world.gateway_with(&url, &inviter);
    let told = world.hears(4).await;
    assert!(told[3].contains("repeat it"), "{told:?}");
    assert_eq!(world.demo.column(first), Column::Qa);
    gateway.stop().await;
}

/// The bot reads what is said after it began to sync, and nothing in the room shows when that is.
async fn said_until_seen(who: &Person, room: &str, bot: &Person, text: &str) -> String {
    for count in 0.. {
        let probe = who.say(room, &format!("!switch demo{}", " ".repeat(count))).await;
        if timeout(Duration::from_secs(5), who.sees_reaction(room, &bot.id, &probe))
            .await
            .is_ok()
        {
            break;
        }
    }
    who.say(room, text).await
}

async fn said_until_heard(who: &Person, room: &str, bot: &Person, text: &str) -> String {
    who.say(room, text).await;
    who.hears(room, &bot.id, 1).await.remove(0)
}

#[tokio::test]
async fn an_encrypted_room_is_told_once_and_then_left_in_peace() {
    let world = World::new(Limits::Raised).await;
    world.ann.encrypt(&world.room).await;
    for title in ["A secret", "Another secret"] {
        let gateway = world.gateway(&world.synapse.url());
        world.listening(&gateway).await;
        world.demo.create(title);
        until("the status says why nothing is sent", || {
            gateway.deliveries().iter().any(|delivery| {
                delivery
                    .error
                    .as_ref()
                    .is_some_and(|why| why.contains("encrypted"))
            })
        })
        .await;
        gateway.stop().await;
    }
    let told = world.hears(1).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("encrypted") && !told[0].contains("secret"),
        "{told:?}"
    );
}

#[tokio::test]
async fn nothing_that_is_asked_in_an_encrypted_room_is_answered_there() {
    let world = World::new(Limits::Raised).await;
    let World { ann, bot, room, .. } = &world;
    let first = world.demo.create("A secret");
    let gateway = world.gateway(&world.synapse.url());
    world.listening(&gateway).await;
    let asked = said_until_seen(ann, room, bot, "!show 1").await;
    let told = world.hears(1).await;
    assert!(told[0].contains("A secret"), "{told:?} after {asked}");

    // What is asked when encryption is on already, and what happens then, goes nowhere.
    ann.encrypt(room).await;
    for text in ["!show 1", "!list", "!move 1 qa", "!nonsense", "!switch demo"] {
        ann.say(room, text).await;
    }
    world.demo.moves(first, Column::Coding);
    world.hears(2).await;
    until("the status says why nothing is sent", || {
        let deliveries = gateway.deliveries();
        deliveries.iter().any(|delivery| {
            delivery
                .error
                .as_ref()
                .is_some_and(|why| why.contains("encrypted"))
        })
    })
    .await;
    // What is said elsewhere later is answered: everything before was heard by then.
    let open = ann.room(&[bot]).await;
    gateway.stop().await;
    let gateway = world.gateway_with(&world.synapse.url(), &format!("allow_inviters = [{:?}]", ann.id));
    said_until_seen(ann, &open, bot, "!show 1").await;
    ann.hears(&open, &bot.id, 1).await;
    let told = world.hears(2).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[1].contains("encrypted") && !told[1].contains("secret"),
        "{told:?}"
    );
    assert_eq!(
        world.demo.column(first),
        Column::Coding,
        "a command was done there"
    );
    gateway.stop().await;
}
