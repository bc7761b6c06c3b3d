//! Tests of `context.toml`: tags, freshness, signals.

use crate::bundle::{Bundle, CONTEXT_FILE, Sources};
use crate::domain::TimeDelta;

const PLAYBOOK: &str = "playbook = 'p'\non = ['order']\n[outcome]\nx = 'int'\n[default]\nthen = { x = 1 }\n";

fn compile(context: &str) -> Result<Bundle, String> {
    let mut sources = Sources::default();
    sources.insert(CONTEXT_FILE, context);
    sources.insert("playbooks/p.toml", PLAYBOOK);
    Bundle::compile(sources).map_err(|faults| faults.to_string())
}

fn compiled(context: &str) -> Bundle {
    compile(context).unwrap_or_else(|faults| panic!("{faults}"))
}

const TAGGED: &str = r#"
[purposes]
service   = { needs_consent = false }
marketing = { needs_consent = true }
fraud     = { needs_consent = false }

[tags.events.order]
purposes   = ["service", "marketing"]
retain     = "400d"
regulation = "gdpr"

[events.order]
product = { type = "string", purposes = ["marketing"], retain = "100d", regulation = "psd2" }
total   = "decimal"

[events.login]

[facts]
plan = { one_of = ["free", "pro"], purposes = ["service"], retain = "730d", regulation = "gdpr", fresh = "30d" }
mood = { type = "string", fresh = { soft = "7d", hard = "30d" } }
vip  = "bool"

[signals]
orders_90d   = { count = "order", over = "90d" }
products_90d = { distinct = "product", of = "order", over = "90d" }
logins_1h    = { count = "login", over = "1h", purposes = ["fraud"], regulation = "gdpr" }
"#;

#[test]
fn signals_inherit_the_tags_of_what_they_are_made_from() {
    let bundle = compiled(TAGGED);
    let layout = bundle.layout();
    let day = |days: i64| Some(TimeDelta::from_micros(days * TimeDelta::DAY.micros()));
    let purposes: Vec<(&str, bool)> = layout.purposes().iter().map(|p| (&*p.name, p.needs_consent)).collect();
    assert_eq!(purposes, [("service", false), ("marketing", true), ("fraud", false)]);
    let allowed = |tags: &crate::context::Tags| -> Vec<usize> {
        (0..purposes.len()).filter(|number| tags.purposes.contains(*number)).collect()
    };
    let order = &layout.events()[layout.event_number("order").unwrap()];
    assert_eq!(
        (allowed(&order.tags), allowed(order.tags_of(0)), allowed(order.tags_of(1))),
        (vec![0, 1], vec![1], vec![0, 1])
    );
    assert_eq!(order.tags_of(0).regulation.as_deref(), Some("gdpr, psd2"));
    let [orders, products, logins] = layout.signals() else { panic!("three signals") };
    assert_eq!((allowed(&orders.tags), orders.tags.retain), (vec![0, 1], day(400)));
    assert_eq!((allowed(&products.tags), products.tags.retain), (vec![1], day(100)));
    assert_eq!((allowed(&logins.tags), logins.tags.retain), (vec![2], None));
    let [plan, mood, vip] = layout.facts() else { panic!("three facts") };
    assert_eq!(
        (allowed(&plan.tags), plan.tags.retain, plan.fresh.soft, plan.fresh.hard),
        (vec![0], day(730), None, day(30))
    );
    assert_eq!((mood.fresh.soft, mood.fresh.hard), (day(7), day(30)));
    assert_eq!(allowed(&vip.tags), [0, 1, 2]);
}

#[test]
fn every_fault_of_tags_is_named() {
    let context = r#"
[purposes]
service = {}
"a b" = { needs_consent = true }
marketing = { needs_consent = "no", retain = "3d" }

[tags.events.oder]
retain = "1d"

[tags.facts]

[tags.events.order]
purposes = ["service"]
retain = "90d"
regulation = ""

[events.order]
product = { type = "string", purposes = ["marketing"], retain = "0s" }
total = { type = "decimal", retain = "30d" }

[facts]
plan = { type = "string", purposes = ["sevice", "ads"], fresh = {} }
mood = { type = "string", purposes = [], fresh = { soft = "30d", hard = "7d" } }
city = { type = "string", purposes = "service", retain = "2y", fresh = { sft = "7d", hard = "8d" } }

[signals]
orders = { count = "order", over = "90d" }
total = { sum = "total", of = "order", over = "30d", retain = "90d" }
"#;
    insta::assert_snapshot!(compile(context).unwrap_err());
}

const SIGNALS: &str = r#"
[events.purchase]
amount   = "decimal"
items    = "int"
category = ["food", "books"]
product  = { type = "string", max_length = 100 }
took     = "duration"
at       = "timestamp"
labels   = { list_of = "string" }

[events.order]
category = "string"
interest = ["books", "food", "toys"]

[signals]
smallest = { min = "amount", of = "purchase", over = "30d" }
latest   = { max = "at", of = "purchase", over = "1m" }
mean     = { mean = "items", of = "purchase", over = "90d", by = "category" }
longest  = { mean = "took", of = "purchase", over = "90d" }
products = { last_n = "product", n = 5, of = "purchase" }
heat     = { decayed = "purchase", half_life = "7d", by = "category", for = "interest", groups_max = 4 }
spent    = { decayed = "amount", of = "purchase", half_life = "90m", over = "1d", every = "5m" }
"#;

#[test]
fn signals_of_every_kind_are_declared() {
    let bundle = compiled(SIGNALS);
    let said: Vec<String> = bundle
        .layout()
        .signals()
        .iter()
        .map(|signal| {
            let groups = signal.by.as_ref().map_or(String::new(), |by| format!(", {} groups", by.groups_max));
            let decay =
                signal.decay.as_ref().map_or(String::new(), |decay| format!(", half after {}", decay.buckets()));
            let over = signal.over.map_or("ever".to_owned(), |over| over.to_string());
            format!("{}: {} over {over} by {}{groups}{decay}", signal.name, signal.ty.name(), signal.resolution)
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn every_fault_of_a_signal_is_named() {
    let (head, _) = SIGNALS.split_once("[signals]").unwrap();
    let context = format!(
        "{head}{}",
        r#"
[signals]
a = { min = "category", of = "purchase", over = "30d" }
b = { mean = "at", of = "purchase", over = "30d" }
c = { last_n = "product", of = "purchase" }
d = { last_n = "product", of = "purchase", n = 65 }
e = { last_n = "labels", of = "purchase", n = 2 }
f = { decayed = "amount", half_life = "7d" }
g = { decayed = "amount", of = "purchase", over = "7d" }
h = { decayed = "purchase", half_life = "7d", every = "9h" }
i = { decayed = "purchase", half_life = "61ms" }
j = { decayed = "purchase", half_life = "7d", every = "1m" }
k = { count = "purchase", over = "1h", by = "categry" }
l = { count = "purchase", over = "1h", by = "labels" }
m = { count = "purchase", over = "1h", by = "items", for = "category" }
n = { count = "purchase", over = "1h", by = "category", for = "intrest" }
o = { count = "purchase", over = "1h", by = "category", groups_max = 2000 }
p = { count = "purchase", over = "1h", for = "category", n = 2, half_life = "1h" }
q = { min = "amount", max = "amount", of = "purchase", over = "1h" }
r = { maen = "amount", of = "purchase", over = "1h" }
s = { max = "amuont", of = "purchase", over = "1h" }
"#
    );
    insta::assert_snapshot!(compile(&context).unwrap_err());
}
