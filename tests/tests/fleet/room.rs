//! The fleet in a chat room: projects whose node is off, and a gateway that is killed again and again.

use std::time::Duration;

use tokio::time::timeout;
use towline_tests::gateway::{Fleet, Member, until};
use towline_tests::person::{PASSWORD, Person};
use towline_tests::synapse::{Limits, Synapse};

/// A homeserver with Ann, who is an operator, the bot and their room.
struct Chat {
    synapse: Synapse,
    ann: Person,
    bot: Person,
    room: String,
}

impl Chat {
    async fn start() -> Self {
        let synapse = Synapse::start(Limits::Raised).await;
        let (ann, bot) = (synapse.person("ann").await, synapse.person("towline").await);
        Self {
            room: ann.room(&[&bot]).await,
            synapse,
            ann,
            bot,
        }
    }

    fn config(&self) -> String {
        let Self {
            synapse,
            room,
            bot,
            ann,
        } = self;
        format!(
            r#"
            [matrix]
            homeserver = "{}"
            user = "{}"
            password = "{PASSWORD}"
            rooms = [{{ room = "{room}" }}]
            [[matrix.users]]
            id = "{}"
            role = "operator"
            "#,
            synapse.url(),
            bot.id,
            ann.id
        )
    }

    /// Says something that is answered by ✅.
    async fn done(&self, text: &str) {
        let said = self.ann.say(&self.room, text).await;
        assert_eq!(
            self.ann.sees_reaction(&self.room, &self.bot.id, &said).await,
            "✅"
        );
    }

    /// Waits until the bot reads the room: nothing else shows when that is.
    async fn reads_commands(&self, project: &str) {
        for count in 0.. {
            let text = format!("!switch {project}{}", " ".repeat(count));
            let probe = self.ann.say(&self.room, &text).await;
            let reaction = self.ann.sees_reaction(&self.room, &self.bot.id, &probe);
            if timeout(Duration::from_secs(5), reaction).await.is_ok() {
                return;
            }
        }
    }

    /// Waits until the bot has said something with these words in it.
    async fn hears(&self, words: &[&str]) -> String {
        let mut count = 1;
        loop {
            let said = self.ann.hears(&self.room, &self.bot.id, count).await;
            let fits = said
                .iter()
                .find(|line| words.iter().all(|word| line.contains(word)));
            if let Some(line) = fits {
                return line.clone();
            }
            count = said.len() + 1;
        }
    }

    async fn everything_said(&self, at_least: usize) -> Vec<String> {
        self.ann.hears(&self.room, &self.bot.id, at_least).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_and_chat_go_on_while_a_projects_node_is_off() {
    let chat = Chat::start().await;
    let (shop, mut till) = (Member::new("shop"), Member::new("till"));
    shop.does(&["create", "story", "Sign in with a passkey"]);
    till.does(&["create", "bug", "Receipts print twice"]);
    // One project is joined before the gateway ever ran, the other while it runs.
    let mut fleet = Fleet::configured(&chat.config());
    let joined = fleet.joins(&shop);
    assert!(joined.contains("joined shop as writer"), "{joined}");
    fleet.up();
    fleet.joins(&till);
    fleet.shows("shop", "1", "backlog").await;
    fleet.shows("till", "1", "backlog").await;
    fleet.relays(2).await;
    chat.reads_commands("till").await;

    till.down();
    let page = fleet.page("/").await.unwrap();
    assert!(page.contains("shop") && page.contains("till"), "{page}");
    let board = fleet.page("/p/till").await.unwrap();
    assert!(board.contains("Receipts print twice"), "{board}");
    chat.ann.say(&chat.room, "!list").await;
    chat.hears(&["till/1 Receipts print twice", "bug backlog"]).await;
    chat.ann.say(&chat.room, "!show till/1").await;
    chat.hears(&["till/1 Receipts print twice", "possible now:"])
        .await;
    chat.ann.say(&chat.room, "!show shop/1").await;
    chat.hears(&["shop/1 Sign in with a passkey", "possible now:"])
        .await;

    chat.done("!move till/1 qa").await;
    chat.hears(&["till/1 Receipts print twice: backlog → qa (@ann:localhost)"])
        .await;

    till.up();
    until("the node has what was said while it was off", async || {
        (till.asks(&["show", "1"])["column"] == "qa").then_some(())
    })
    .await;
    let log = till.asks(&["log", "1"]);
    let lines = log["lines"].as_array().unwrap();
    let moved = lines.iter().find(|line| line["to"] == "qa").unwrap();
    assert_eq!(moved["origin"]["kind"], "user", "{moved}");
    assert_eq!(moved["origin"]["id"], "@ann:localhost", "{moved}");
    assert_eq!(moved["node_name"], "gateway", "{moved}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_room_hears_each_transition_once_however_often_the_gateway_is_killed() {
    const ITEMS: usize = 7;
    let mut chat = Chat::start().await;
    let shop = Member::new("shop");
    for item in 1..=ITEMS {
        shop.does(&["create", "story", &format!("Item {item}")]);
    }
    let mut fleet = Fleet::configured(&chat.config());
    fleet.joins(&shop);
    fleet.up();
    fleet.relays(1).await;
    let line = |item: usize, way: &str| format!("shop/{item} Item {item}: {way} (ann)");
    let mut expected = Vec::new();

    for item in 1..=ITEMS - 1 {
        shop.does(&["move", &item.to_string(), "coding"]);
        fleet.shows("shop", &item.to_string(), "coding").await;
        expected.push(line(item, "backlog → coding"));
        match item % 3 {
            // The gateway knows of it, and has not told it yet.
            0 => fleet.killed(),
            // The room has the line, and the gateway perhaps does not know that yet.
            1 => {
                chat.hears(&[&line(item, "backlog → coding")]).await;
                fleet.killed();
            }
            // And once more as soon as it has come back.
            _ => {
                fleet.killed();
                fleet.up();
                fleet.killed();
            }
        }
        fleet.up();
        chat.hears(&[&line(item, "backlog → coding")]).await;
    }

    // What happens while nobody is there to hear it.
    fleet.killed();
    shop.does(&["move", &ITEMS.to_string(), "coding"]);
    fleet.up();
    expected.push(line(ITEMS, "backlog → coding"));
    chat.hears(&[&line(ITEMS, "backlog → coding")]).await;

    chat.synapse.down().await;
    for item in 1..=2 {
        shop.does(&["move", &item.to_string(), "qa"]);
        fleet.shows("shop", &item.to_string(), "qa").await;
        expected.push(line(item, "coding → qa"));
    }
    until("the gateway notices that the homeserver is gone", async || {
        fleet
            .deliveries()
            .iter()
            .any(|delivery| delivery["trouble"].is_string())
            .then_some(())
    })
    .await;
    fleet.killed();
    fleet.up();
    chat.synapse.up().await;
    chat.everything_said(expected.len()).await;
    fleet.delivered().await;
    let mut said = chat.everything_said(expected.len()).await;
    said.sort();
    expected.sort();
    assert_eq!(said, expected);
}
