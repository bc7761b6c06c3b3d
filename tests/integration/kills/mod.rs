//! `kill -9` under load at random moments, over and over on the same data: what was acknowledged is there exactly once and as it was
//! told, nothing is there that nobody sent, and every state is what the journal alone makes it.
//!
//! Twenty kills; `FORTHWITH_KILLS` asks for more, `FORTHWITH_KILLS_SEED` for other moments and other load. Both are in the words
//! of a failure. The load itself depends on the machine: a seed brings back the moments, not every interleaving.

mod book;
mod callers;
mod dice;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use book::Book;
use callers::{Callers, Told};
use dice::Dice;
use forthwith::domain::TimeDelta;
use forthwith::time::Clock;
use forthwith::{Config, Engine};

use crate::support::{Server, folder, forthwith, run, written_config};

/// Whom it is about; few, so that they are busy.
const CUSTOMERS: u64 = 9;

const CONTEXT: &str = r#"
[events."ticket.created"]
body   = "string"
amount = "int"

[events."cart.left"]
worth = { type = "int", min = 0 }

[purposes]
marketing = { needs_consent = true }

[facts]
plan = ["free", "pro"]

[signals]
tickets_7d = { count = "ticket.created", over = "7d", partial = true }

[repetitions]
remember = 10000
"#;

const TICKETS: &str = r#"
playbook = "PLAYBOOK"
on       = ["ticket.created"]
budget   = "5s"
ack      = "ACK"

[outcome]
queue = ["general", "large", "regular"]

[[rules]]
id   = "large"
when = "event.amount > 50 && customer.plan == 'pro'"
then = { queue = "large" }

[[rules]]
id   = "regular"
when = "signal.tickets_7d > 20"
then = { queue = "regular" }

[default]
then = { queue = "general" }
"#;

const OFFERS: &str = r#"
playbook      = "offers"
on            = ["cart.left"]
purpose       = "marketing"
budget        = "5s"
settle_within = "1d"

[outcome]
action = ["nothing", "discount"]
amount = { type = "int", min = 0, max = 10 }

[[rules]]
id   = "discount"
when = "event.worth > 3"
then = { action = "discount", amount = { cel = "event.worth > 10 ? 10 : event.worth" } }

[[caps]]
id     = "each"
action = "discount"
max    = 8
over   = "90d"

[[caps]]
id     = "all"
action = "discount"
amount = "amount"
max    = 300
over   = "90d"
scope  = "global"

[default]
then = { action = "nothing", amount = 0 }
"#;

/// What the caps above say.
const OF_EACH_MAX: i64 = 8;
const OF_ALL_MAX: i64 = 300;

fn of_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// The world that is killed and comes back.
struct World {
    folder: tempfile::TempDir,
    config: PathBuf,
    dice: Dice,
    told: Told,
    book: Book,
}

#[test]
fn what_was_acknowledged_survives_kill_9_at_any_moment() {
    let (kills, seed) = (of_environment("FORTHWITH_KILLS", 20), of_environment("FORTHWITH_KILLS_SEED", 1));
    let repeat = Repeat { kills, seed };
    let mut world = World::new(seed);
    for kill in 0..kills {
        world.killed_under_load(kill);
        if world.dice.percent(40) {
            world.killed_while_starting();
        }
        if kill % 20 == 7 {
            world.states_are_what_the_journal_makes_them();
        }
    }
    world.told.was_a_load(kills);
    world.everything_holds();
    world.states_are_what_the_journal_makes_them();
    world.every_turn_comes_out_the_same_again();
    drop(repeat);
}

/// Says how a failure comes back.
struct Repeat {
    kills: u64,
    seed: u64,
}

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { kills, seed } = self;
            #[expect(clippy::print_stderr, reason = "whoever sees it fail is told how to see it again")]
            {
                eprintln!("FORTHWITH_KILLS={kills} FORTHWITH_KILLS_SEED={seed} cargo test --test integration kills::");
            }
        }
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let folder = folder();
        let tickets = |name: &str, ack: &str| TICKETS.replace("PLAYBOOK", name).replace("ACK", ack);
        let playbooks = [("kept", tickets("kept", "disk")), ("quick", tickets("quick", "memory"))];
        let [kept, quick] = &playbooks;
        let config =
            written_config(folder.path(), CONTEXT, &[(kept.0, &kept.1), (quick.0, &quick.1), ("offers", OFFERS)]);
        Self { folder, config, dice: Dice::new(seed), told: Told::new(seed), book: Book::default() }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Small files, short intervals and little memory: everything that goes on behind the turns goes on all the time.
    fn settings(command: &mut Command, config: &Path) {
        command.arg("--config").arg(config);
        for (name, value) in [
            ("JOURNAL__SEGMENT_BYTES", "1MiB"),
            ("JOURNAL__QUEUE_BYTES", "64KiB"),
            ("ENGINE__CHECKPOINT_EVERY", "1s"),
            ("ENGINE__CHECKPOINT_RECORDS", "1000"),
            ("ENGINE__PASSIVATE_AFTER", "1s"),
            ("ENGINE__HOT_CUSTOMERS_MAX", "4"),
            ("LOG__LEVEL", "error"),
        ] {
            command.env(format!("FORTHWITH__{name}"), value);
        }
    }

    fn start(&self) -> Server {
        let mut server = Server::start_with(&self.data(), |command| Self::settings(command, &self.config));
        // All that was journaled is replayed once, at the end.
        server.is_replayed = false;
        server
    }

    /// One life of a server: what the one before left is looked at, then callers come, then it is killed.
    fn killed_under_load(&mut self, kill: u64) {
        let server = self.start();
        self.check(&server);
        // Mostly soon, while much is still being brought in; at times long enough for a checkpoint and a full segment.
        let limit = if self.dice.percent(20) { 1_500_000 } else { 250_000 };
        let delay = Duration::from_micros(self.dice.between(1_000, limit));
        let callers = Callers { server: &server, told: &self.told, config: &self.config };
        std::thread::scope(|scope| {
            callers.call(scope, kill);
            std::thread::sleep(delay);
            server.signal("KILL");
        });
    }

    /// A server that is killed before it listens, or just after.
    fn killed_while_starting(&mut self) {
        let delay = Duration::from_micros(self.dice.between(1_000, 400_000));
        Server::start_and_kill(&self.data(), |command| Self::settings(command, &self.config), delay);
    }

    /// What the journal has besides since the last look, and whether it accounts for what was answered.
    fn check(&mut self, server: &Server) {
        self.book.read_on(&self.data().join("journal"), &self.told);
        let answers = self.told.take_answers();
        for (nth, answer) in answers.iter().enumerate() {
            self.book.accounts_for(answer);
            // Asking costs more than looking: some.
            if nth % 7 == 0
                && let Some(id) = answer.found_by()
            {
                let shown = server.get(&format!("/v1/decisions/{id}")).json();
                answer.is_the_same_as(&shown);
            }
        }
    }

    /// A last look at everything, beside a running server and after it.
    fn everything_holds(&mut self) {
        let server = self.start();
        self.check(&server);
        let (nth, id) = self.book.last_decision().expect("something was decided");
        let explain = |context: &str| {
            let (code, out, err) = run(forthwith().arg("--data").arg(self.data()).args(["explain", &id, "--json"]));
            assert_eq!(code, 0, "{context}: {err}");
            let explanation: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(explanation["event"]["id"], format!("e-{nth}"), "{context}");
        };
        explain("beside the server");
        let (code, said) = server.stop();
        assert_eq!(code, 0, "{said}");
        explain("after the server");
        // From the beginning, as someone who has never looked: what was there once is there now.
        let mut anew = Book::default();
        anew.read_on(&self.data().join("journal"), &self.told);
        anew.begins_with(&self.book);
    }

    /// A copy as it was left by the kill, and one of the journal alone: every customer is the same.
    fn states_are_what_the_journal_makes_them(&self) {
        let (as_left, alone) = (folder(), folder());
        copy(&self.data(), as_left.path());
        copy(&self.data(), alone.path());
        if alone.path().join("store").exists() {
            std::fs::remove_dir_all(alone.path().join("store")).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let clock = Clock::manual(Clock::system().wall().saturating_add(TimeDelta::MINUTE));
        let [as_left, alone] = [as_left, alone].map(|folder| {
            let mut config = Config::load(&self.config).unwrap().engine.data(folder.path());
            config.clock = clock.clone();
            let engine = Engine::start(config).unwrap();
            let views: Vec<String> = (0..CUSTOMERS)
                .map(|nth| {
                    let view = runtime.block_on(engine.customer(&format!("c-{nth}"))).unwrap().into_result().unwrap();
                    serde_json::to_string_pretty(&view).unwrap()
                })
                .collect();
            engine.shutdown().unwrap();
            views
        });
        for (as_left, alone) in as_left.iter().zip(&alone) {
            assert_eq!(as_left, alone, "what was stored is not what the journal makes it");
        }
    }

    fn every_turn_comes_out_the_same_again(&self) {
        let (code, out, err) = run(forthwith().arg("--data").arg(self.data()).arg("replay"));
        assert_eq!(code, 0, "{out}{err}");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}
