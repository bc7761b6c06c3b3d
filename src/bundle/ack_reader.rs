//! Reads when a decision counts as made, what becomes of it while the disk is full, and whether others may overtake it.

use super::playbook::{Ack, Ordering, WhenDiskFull};
use crate::document::{Node, Section};
use crate::domain::suggestion;

/// Reads `ack`; `None` if it is not said, or wrong.
pub(super) fn ack(root: &Section<'_>) -> Option<Ack> {
    root.get("ack").and_then(|node| one_of(&node, [Ack::Disk, Ack::Memory], Ack::as_str))
}

/// Reads `when_disk_full`. Only what does not wait for the disk can be answered without it.
pub(super) fn when_disk_full(root: &Section<'_>, ack: Option<Ack>) -> WhenDiskFull {
    let known = [WhenDiskFull::Shed, WhenDiskFull::Answer];
    let Some(node) = root.get("when_disk_full") else { return WhenDiskFull::default() };
    let when_full = one_of(&node, known, WhenDiskFull::as_str).unwrap_or_default();
    if when_full == WhenDiskFull::Answer && ack != Some(Ack::Memory) {
        node.fault(
            "can be \"answer\" only in a playbook with `ack = \"memory\"`: a decision that waits for the disk \
             cannot be answered while the disk is full",
        );
    }
    when_full
}

/// Reads `ordering`.
pub(super) fn ordering(root: &Section<'_>) -> Ordering {
    let known = [Ordering::Overtaking, Ordering::Strict];
    root.get("ordering").and_then(|node| one_of(&node, known, Ordering::as_str)).unwrap_or_default()
}

fn one_of<T: Copy>(node: &Node<'_>, known: [T; 2], word: fn(T) -> &'static str) -> Option<T> {
    let text = node.text()?;
    let found = known.into_iter().find(|one| word(*one) == text);
    if found.is_none() {
        let [first, second] = known.map(word);
        node.fault(format!("expected `{first}` or `{second}`, found `{text}`{}", suggestion(text, [first, second])));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::{PLAYBOOK, sources};
    use super::super::{Bundle, WhenDiskFull};

    fn compiled(lines: &str) -> Result<WhenDiskFull, String> {
        let mut sources = sources();
        let playbook = PLAYBOOK.replace("ack      = \"disk\"", lines);
        assert_ne!(playbook, PLAYBOOK);
        sources.insert("playbooks/routing.toml", playbook);
        let bundle = Bundle::compile(sources).map_err(|faults| faults.to_string())?;
        Ok(bundle.playbooks()[0].when_disk_full)
    }

    #[test]
    fn only_a_playbook_that_does_not_wait_for_the_disk_is_answered_without_it() {
        assert_eq!(compiled("ack = \"memory\""), Ok(WhenDiskFull::Shed));
        assert_eq!(compiled("ack = \"memory\"\nwhen_disk_full = \"answer\""), Ok(WhenDiskFull::Answer));
        assert_eq!(compiled("ack = \"disk\"\nwhen_disk_full = \"shed\""), Ok(WhenDiskFull::Shed));
        insta::assert_snapshot!(compiled("when_disk_full = \"answer\"").unwrap_err());
        insta::assert_snapshot!(compiled("ack = \"memory\"\nwhen_disk_full = \"anwser\"").unwrap_err());
    }
}
