//! Reads what bounds the connections of `[server]`.

use super::ServerSettings;
use super::settings::{duration, set};
use crate::document::Section;

pub(super) fn read_bounds(section: &Section<'_>, server: &mut ServerSettings) {
    set(section, "connections_max", &mut server.connections_max, |node| node.int(1, 1_000_000).map(|n| n as usize));
    set(section, "backlog", &mut server.backlog, |node| node.int(1, 65_535).map(|n| n as u32));
    set(section, "keep_alive", &mut server.keep_alive, |node| duration(node, "1s", "1h"));
    set(section, "header_timeout", &mut server.header_timeout, |node| duration(node, "100ms", "5m"));
    set(section, "body_timeout", &mut server.body_timeout, |node| duration(node, "100ms", "1h"));
}
