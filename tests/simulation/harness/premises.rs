//! What simulated engines decide with and are asked: a small bundle, and events.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;

use super::super::Request;
use super::super::house::House;
use crate::bundle::{Bundle, Sources};
use crate::domain::Event;
use crate::time::Deadline;
use crate::turn::{EventInput, Input, Readings, Run};

const CONTEXT: &str = "
[events.seen]
by = \"string\"

[signals]
seen_24h = { count = \"seen\", over = \"24h\", partial = true }
";

const PLAYBOOK: &str = "
playbook = \"count\"
version  = 1
on       = [\"seen\"]
budget   = \"20ms\"
ack      = \"disk\"

[outcome]
kind = [\"few\", \"many\"]

[[rules]]
id   = \"many\"
when = \"signal.seen_24h > 3\"
then = { kind = \"many\" }

[default]
then = { kind = \"few\" }
";

/// The bundle that simulated engines decide with.
pub(super) fn bundle() -> Bundle {
    let mut sources = Sources::default();
    sources.insert("context.toml", CONTEXT);
    sources.insert("playbooks/count.toml", PLAYBOOK);
    Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"))
}

thread_local! {
    /// Events whose turn has panicked once. One simulation at a time runs on a thread of the machine.
    static PANICKED: RefCell<HashSet<String>> = RefCell::default();
}

/// A turn on an event whose id begins with `panic` breaks off halfway, once.
pub fn panic_if_told(input: &Input) {
    if let Input::Event(event) = input
        && event.event.key.id().starts_with("panic")
        && PANICKED.with_borrow_mut(|panicked| panicked.insert(event.event.key.id().to_string()))
    {
        // Past the hook: it is no news.
        std::panic::resume_unwind(Box::new("told to"));
    }
}

/// Another simulation begins.
pub(super) fn forget_panics() {
    PANICKED.take();
}

/// A request for a turn on an event.
pub(super) fn request(house: &House, customer: &str, id: &str) -> Request {
    let event = Event::new(id, "simulation", "seen", customer).with("by", "someone");
    let bundle = house.current.load_full();
    let event = bundle.bundle.layout().accept(event).unwrap();
    let input = Input::Event(EventInput { event, run: Run::Playbook(0), trace: None });
    let deadline = Deadline::new(house.clock.instant(), Duration::from_secs(60));
    Request { input, readings: Readings::at(house.clock.wall()), bundle, deadline, span: tracing::Span::none() }
}
