//! Two gateways in one room: one of them acts and answers, and where both act it is one thing.

use std::collections::BTreeSet;

use towline_tests::gateway::{Fleet, Member, until};
use towline_tests::person::{PASSWORD, Person};
use towline_tests::synapse::{Limits, Synapse};

struct Pair {
    synapse: Synapse,
    ann: Person,
    bots: [Person; 2],
    room: String,
}

impl Pair {
    async fn start() -> Self {
        let synapse = Synapse::start(Limits::Raised).await;
        let ann = synapse.person("ann").await;
        let bots = [synapse.person("left").await, synapse.person("right").await];
        Self {
            room: ann.room(&[&bots[0], &bots[1]]).await,
            synapse,
            ann,
            bots,
        }
    }

    /// A gateway that takes commands in the room and tells nothing there.
    fn fleet(&self, bot: usize) -> Fleet {
        Fleet::configured(&format!(
            r#"
            [matrix]
            homeserver = "{}"
            user = "{}"
            password = "{PASSWORD}"
            allow_inviters = ["{ann}"]
            [[matrix.users]]
            id = "{ann}"
            role = "operator"
            "#,
            self.synapse.url(),
            self.bots[bot].id,
            ann = self.ann.id,
        ))
    }

    /// Waits until a message was answered by so many.
    async fn answered(&self, event: &str, by: usize) -> BTreeSet<String> {
        until("the message is answered", async || {
            let who: BTreeSet<String> = self.ann.answers(&self.room, event).await.into_iter().collect();
            (who.len() >= by).then_some(who)
        })
        .await
    }

    /// Says the same again and again, until so many answer it.
    async fn heard_by(&self, by: usize) {
        let mut count = 0;
        until("the gateways read the room", async || {
            count += 1;
            let text = format!("!switch shop{}", " ".repeat(count));
            let probe = self.ann.say(&self.room, &text).await;
            let answered = self.answered(&probe, by);
            tokio::time::timeout(std::time::Duration::from_secs(4), answered)
                .await
                .ok()
        })
        .await;
    }
}

fn left_to_the_other(fleet: &Fleet) -> usize {
    fleet.log().matches("another gateway has answered").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_gateways_in_a_room_one_answers_and_the_other_takes_over() {
    const COMMANDS: usize = 4;
    let pair = Pair::start().await;
    let shop = Member::new("shop");
    shop.does(&["create", "story", "Sign in with a passkey"]);
    let mut fleets = [pair.fleet(0), pair.fleet(1)];
    for fleet in &mut fleets {
        fleet.joins(&shop);
        fleet.up();
        fleet.shows("shop", "1", "backlog").await;
    }
    pair.heard_by(1).await;
    // Until they have heard of each other both may answer.
    let mut count = 0;
    until("one of them leaves a message to the other", async || {
        count += 1;
        let probe = format!("!switch shop{}x", " ".repeat(count));
        let probe = pair.ann.say(&pair.room, &probe.replace('x', " ")).await;
        pair.answered(&probe, 1).await;
        let waits = |fleet: &Fleet| fleet.log().contains("another gateway may answer first");
        fleets.iter().any(waits).then_some(())
    })
    .await;

    let before: usize = fleets.iter().map(left_to_the_other).sum();
    let mut said = Vec::new();
    for count in 1..=COMMANDS {
        let text = match count % 2 {
            0 => format!("!create bug Lamp {count}"),
            _ => format!("!comment 1 hello {count}"),
        };
        let event = pair.ann.say(&pair.room, &text).await;
        pair.answered(&event, 1).await;
        said.push(event);
    }
    until("the other one has seen every answer", async || {
        let left: usize = fleets.iter().map(left_to_the_other).sum();
        (left >= before + COMMANDS).then_some(())
    })
    .await;
    for event in &said {
        let answers = pair.ann.answers(&pair.room, event).await;
        assert_eq!(answers.len(), 1, "{answers:?}");
    }
    let items = |shop: &Member| shop.asks(&["list"])["items"].as_array().map_or(0, Vec::len);
    until("the project has what was said", async || {
        (shop.asks(&["show", "1"])["comments"] == 2 && items(&shop) == 3).then_some(())
    })
    .await;

    // The one that answers is gone from one moment to the next.
    let answers = pair.ann.answers(&pair.room, &said[0]).await;
    let first = usize::from(answers[0] == pair.bots[1].id);
    fleets[first].killed();
    let event = pair.ann.say(&pair.room, "!move 1 qa").await;
    let who = pair.answered(&event, 1).await;
    assert!(who.contains(&pair.bots[1 - first].id), "{who:?}");
    until("the project has it", async || {
        (shop.asks(&["show", "1"])["column"] == "qa").then_some(())
    })
    .await;

    // When it comes back it does not do again what was done.
    fleets[first].up();
    let event = pair.ann.say(&pair.room, "!comment 1 and again").await;
    pair.answered(&event, 1).await;
    until("the project has the last word once", async || {
        (shop.asks(&["show", "1"])["comments"] == 3).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_gateways_do_that_cannot_reach_each_other_is_one_thing_when_they_meet() {
    let pair = Pair::start().await;
    let mut shop = Member::settled("shop");
    shop.does(&["create", "story", "Sign in with a passkey"]);
    let mut fleets = [pair.fleet(0), pair.fleet(1)];
    for fleet in &fleets {
        fleet.joins(&shop);
    }
    shop.down();
    fleets[0].cannot_reach(&fleets[1]);
    fleets[1].cannot_reach(&fleets[0]);
    for fleet in &mut fleets {
        fleet.up();
        fleet.shows("shop", "1", "backlog").await;
    }
    pair.heard_by(2).await;
    for text in [
        "!create bug Lamp",
        "!comment 1 hello",
        "!assign 1 bo",
        "!start 1",
        "!block 1 waits for keys",
    ] {
        let event = pair.ann.say(&pair.room, text).await;
        pair.answered(&event, 2).await;
    }
    shop.up();
    for fleet in &fleets {
        fleet.shows("shop", "1", "coding").await;
    }
    let title = |item: &serde_json::Value| item["title"] == "Lamp";
    let lamps = until("one of the two items gives way to the other", async || {
        let items = shop.asks(&["list"])["items"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let lamps: Vec<_> = items.into_iter().filter(title).collect();
        let all = shop.asks(&["list", "--all"])["items"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let made = all.into_iter().filter(title).count();
        (made == 2 && lamps.len() == 1).then_some(lamps)
    })
    .await;
    assert_eq!(lamps[0]["column"], "backlog");
    let item = shop.asks(&["show", "1"]);
    assert_eq!(item["comments"], 1, "{item}");
    assert_eq!(
        (&item["assignee"], &item["conflicts"]),
        (&"bo".into(), &0.into()),
        "{item}"
    );
    let lines = shop.asks(&["log", "1"]);
    let blocks = lines["lines"].as_array().map_or(0, |lines| {
        lines.iter().filter(|line| line["what"] == "block").count()
    });
    assert_eq!(blocks, 1, "{lines}");
}
