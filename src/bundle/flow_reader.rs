//! Reads `[flow]` and `priority` of a playbook.

use super::playbook::PRIORITY_DEFAULT;
use super::{Flow, Throttle};
use crate::context::{Layout, PENDING_MAX};
use crate::document::{Node, Section};
use crate::domain::{TimeDelta, Type, suggestion};

/// The shortest and the longest time that flow control looks back.
const SPAN: (TimeDelta, TimeDelta) = (TimeDelta::from_micros(1_000), TimeDelta::from_micros(365 * 86_400 * 1_000_000));

/// Decisions that a throttle counts at most: their arrivals are kept with the customer.
const THROTTLE_MAX: i64 = 1_000;

/// Reads `priority`.
pub(super) fn priority(root: &Section<'_>) -> u8 {
    let given = root.get("priority").and_then(|node| node.int(0, 9));
    given.map_or(PRIORITY_DEFAULT, |priority| priority as u8)
}

/// Reads `[flow]`, of a playbook that decides on the numbered event types.
pub(super) fn flow(root: &Section<'_>, layout: &Layout, on: &[usize], purpose: Option<usize>) -> Flow {
    let Some(section) = root.get("flow").and_then(|node| node.section()) else { return Flow::default() };
    let span = |node: Node<'_>| node.duration(SPAN.0, SPAN.1);
    let flow = Flow {
        key: section.get("key").and_then(|node| key(&node, layout, on, purpose)),
        debounce: section.get("debounce").and_then(span),
        throttle: section.get("throttle").and_then(|node| throttle(&node)),
        pending_max: section.get("pending_max").and_then(|node| pending_max(&node, root)),
        deduplicate: section.get("deduplicate").and_then(|node| {
            if section.get("key").is_none() {
                node.fault("needs a `key`: events that have its value in common count as the same");
            }
            span(node)
        }),
    };
    let holds_back = ["debounce", "throttle", "pending_max", "deduplicate"];
    if section.entries().iter().all(|(key, _)| !holds_back.contains(&key.as_str())) {
        section.fault("holds nothing back: set `debounce`, `throttle`, `pending_max` or `deduplicate`");
    }
    section.refuse_unknown();
    flow
}

/// The attribute of `key`, in each of the event types. One that the purpose may not see must not decide what is held back.
fn key(node: &Node<'_>, layout: &Layout, on: &[usize], purpose: Option<usize>) -> Option<Box<[Option<usize>]>> {
    let path = node.text()?;
    let Some(name) = path.strip_prefix("event.") else {
        node.fault(format!("expected an attribute of the event such as `event.order_id`, found `{path}`"));
        return None;
    };
    let number = |kind: &usize| layout.events()[*kind].attributes.iter().position(|field| &*field.name == name);
    let numbers: Box<[Option<usize>]> = on.iter().map(number).collect();
    let Some((kind, found)) = on.iter().zip(&numbers).find_map(|(kind, number)| Some((*kind, (*number)?))) else {
        let names = on.iter().flat_map(|kind| layout.events()[*kind].attributes.iter().map(|field| &*field.name));
        let hint = suggestion(name, names);
        // An event type that is not declared has been named already.
        if !on.is_empty() {
            node.fault(format!("no event of `on` has an attribute `{name}`{hint}"));
        }
        return None;
    };
    let is_withheld = |(kind, number): (&usize, &Option<usize>)| {
        number.is_some_and(|number| !layout.events()[*kind].tags_of(number).is_open_to(purpose))
    };
    if on.iter().zip(&numbers).any(is_withheld) {
        node.fault(format!("`{path}` is withheld from the playbook's purpose, so it cannot tell what is held back"));
        return None;
    }
    let ty = &layout.events()[kind].attributes[found].ty;
    if matches!(ty, Type::List(_)) {
        node.fault(format!("`{path}` is {}; a key is a single value", ty.name()));
        return None;
    }
    Some(numbers)
}

fn throttle(node: &Node<'_>) -> Option<Throttle> {
    let section = node.section()?;
    let max = section.require("max", "how many decisions there may be").and_then(|node| node.int(1, THROTTLE_MAX));
    let over = section.require("over", "within which time, such as \"1h\"");
    let over = over.and_then(|node| node.duration(SPAN.0, SPAN.1));
    section.refuse_unknown();
    Some(Throttle { max: max? as u32, over: over? })
}

fn pending_max(node: &Node<'_>, root: &Section<'_>) -> Option<u32> {
    if root.get("settle_within").is_none() {
        node.fault("needs `settle_within`: without it no decision is ever pending");
    }
    node.int(1, PENDING_MAX as i64).map(|max| max as u32)
}

#[cfg(test)]
mod tests {
    use crate::bundle::Bundle;
    use crate::bundle::tests::{PLAYBOOK, sources};

    fn read(before: &str, flow: &str) -> Result<Bundle, String> {
        let mut sources = sources();
        sources.insert("playbooks/routing.toml", format!("{before}\n{PLAYBOOK}\n[flow]\n{flow}"));
        Bundle::compile(sources).map_err(|faults| faults.to_string())
    }

    #[test]
    fn every_fault_of_flow_control_is_named() {
        let flow =
            "key = 'event.chanel'\ndebounce = '2'\nthrottle = { max = 0, ovr = '1h' }\npending_max = 1\ndedup = '1m'\n";
        let found = [
            read("priority = 10", flow).unwrap_err(),
            read("", "key = 'customer.vip'\ndeduplicate = '400d'").unwrap_err(),
            read("", "key = 'event.channel'").unwrap_err(),
            read("", "deduplicate = '1h'").unwrap_err(),
        ];
        insta::assert_snapshot!(found.join("\n"));
    }

    #[test]
    fn a_key_that_the_purpose_may_not_see_is_refused() {
        let mut sources = sources();
        let context = sources.get("context.toml").unwrap().replace(
            "[events.\"ticket.created\"]",
            "[purposes]\nservice = { needs_consent = false }\n[tags.events.\"ticket.created\"]\npurposes = [\"service\"]\n[events.\"ticket.created\"]",
        );
        sources.insert("context.toml", context);
        let keyed = |purpose: &str| {
            let mut sources = sources.clone();
            let flow = "[flow]\nkey = 'event.channel'\ndebounce = '1s'";
            sources.insert("playbooks/routing.toml", format!("{purpose}\n{PLAYBOOK}\n{flow}"));
            Bundle::compile(sources).map(|_| ()).map_err(|faults| faults.to_string())
        };
        assert_eq!(keyed("purpose = 'service'"), Ok(()));
        let fault = keyed("").unwrap_err();
        assert!(fault.contains("`event.channel` is withheld from the playbook's purpose"), "{fault}");
    }

    #[test]
    fn what_is_not_said_holds_nothing_back() {
        let bundle = Bundle::compile(sources()).unwrap();
        assert!(bundle.playbooks()[0].flow.is_free());
        assert_eq!(bundle.playbooks()[0].priority, 5);
        let bundle = read("priority = 9", "throttle = { max = 3, over = '1h' }").unwrap();
        assert!(!bundle.playbooks()[0].flow.is_free());
        assert_eq!(bundle.playbooks()[0].priority, 9);
    }
}
