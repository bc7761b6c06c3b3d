//! Tests of the whole room: stories of files, cells one by one, round trips, and bytes of strangers.

mod cells;
mod excel;
mod round_trip;
mod stories;
mod strangers;

use super::{Fault, Naming};

const DISCOUNT: &str = include_str!("../../../tests/fixtures/interchange/discount.dmn");
const ODD_DMN: &str = include_str!("../../../tests/fixtures/interchange/untranslatable.dmn");
const ROUTING: &str = include_str!("../../../tests/fixtures/interchange/routing.json");
const ODD_JDM: &str = include_str!("../../../tests/fixtures/interchange/untranslatable.json");

fn said(names: &[&str]) -> Vec<Naming> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn listed(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
