//! Reads `[admission]`.

use super::settings::{duration, set};
use crate::document::{Node, Section};
use crate::engine::admission::Config;

pub(super) fn read(section: &Section<'_>, admission: &mut Config) {
    set(section, "on", &mut admission.is_on, Node::bool);
    set(section, "delay_target", &mut admission.delay_target, |node| duration(node, "1ms", "10s").map(Some));
    set(section, "under_way_max", &mut admission.under_way_max, |node| node.int(1, 100_000_000).map(|n| n as usize));
    set(section, "bodies_bytes_max", &mut admission.bodies_bytes_max, |node| {
        node.bytes(1 << 20, 1 << 40).map(|bytes| bytes as usize)
    });
    set(section, "unready_after", &mut admission.unready_after, |node| duration(node, "100ms", "1h"));
}
