use super::*;
use crate::reports::sample::Plan;
#[test]
fn x() {
    let c = compare(&Plan::USUAL.runs(5), &Plan { seed: 2, slower: 1.2, ..Plan::USUAL }.runs(5));
    eprintln!("{}", c.text());
    let c = compare(&Plan::USUAL.runs(1), &Plan { seed: 2, slower: 1.2, ..Plan::USUAL }.runs(1));
    eprintln!("{}", c.text());
    eprintln!("{}", crate::reports::terminal(&Plan::USUAL.runs(3)));
}
