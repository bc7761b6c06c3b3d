//! The syntax of conditions: from a text to the parser's tree, and from the tree's nodes back to places in the text.

use std::collections::HashMap;

use cel::IdedExpr;
use cel::common::ast::{Expr as Cel, operators};
use cel::parser::{ParseErrors, Parser, PrattParser};

use super::condition::ExprFault;
use super::lower::NodeFault;

/// Bytes that one expression may have.
pub const EXPRESSION_BYTES_MAX: usize = 8_192;

/// How deep an expression may nest.
const NESTING_MAX: u16 = 48;

/// The syntax tree of an expression.
pub(super) fn parse(source: &str) -> Result<IdedExpr, Vec<ExprFault>> {
    if source.len() > EXPRESSION_BYTES_MAX {
        let message = format!("has {} bytes, the limit is {EXPRESSION_BYTES_MAX}", source.len());
        return Err(vec![ExprFault { offset: 0, message }]);
    }
    let parser = PrattParser::new().enable_optional_syntax(true).max_recursion_depth(NESTING_MAX);
    parser.parse(source).map_err(|errors| syntax_faults(source, errors))
}

fn syntax_faults(source: &str, errors: ParseErrors) -> Vec<ExprFault> {
    let mut faults: Vec<ExprFault> = errors
        .errors
        .into_iter()
        .map(|e| ExprFault { offset: line_column_offset(source, e.pos), message: plain_syntax_message(&e.msg) })
        .collect();
    // What follows the first fault of a broken expression is mostly its echo.
    faults.truncate(1);
    faults
}

fn plain_syntax_message(message: &str) -> String {
    let message = message.trim_start_matches("Syntax error: ");
    let message = message.replace("<EOF>", "the end");
    format!("not a CEL expression: {message}")
}

/// The byte offset of a line and column, both counted from 1.
fn line_column_offset(source: &str, (line, column): (isize, isize)) -> usize {
    let (Ok(line), Ok(column)) = (usize::try_from(line - 1), usize::try_from(column - 1)) else { return 0 };
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = &source[start.min(source.len())..];
    start + rest.char_indices().nth(column).map_or(rest.len(), |(offset, _)| offset)
}

/// Gives faults their places. The fast parser keeps no positions, so the text is parsed again by the one that does.
pub(super) fn placed(source: &str, root: &IdedExpr, faults: Vec<NodeFault>) -> Vec<ExprFault> {
    let places = places(source, root);
    let place = |fault: NodeFault| {
        let offset = places.get(&fault.node).copied().unwrap_or(0);
        ExprFault { offset, message: fault.message }
    };
    let mut faults: Vec<ExprFault> = faults.into_iter().map(place).collect();
    faults.sort_by_key(|fault| fault.offset);
    faults.dedup();
    faults
}

/// The byte offset at which a reader would look for each node of the tree. Both parsers build trees of one shape, which a
/// test holds; should they not, faults stand at the start of the expression.
fn places(source: &str, root: &IdedExpr) -> HashMap<u64, usize> {
    // The careful parser recurses once per level: an expression refused for its depth is not given to it.
    if is_deeper_than(root, 2 * usize::from(NESTING_MAX)) {
        return HashMap::new();
    }
    let Ok((twin, info)) = Parser::new().enable_optional_syntax(true).parse_with_source_info(source) else {
        return HashMap::new();
    };
    let (mut nodes, mut twins) = (Vec::new(), Vec::new());
    preorder(root, &mut nodes);
    preorder(&twin, &mut twins);
    if nodes.len() != twins.len() {
        return HashMap::new();
    }
    let bytes: Vec<usize> = source.char_indices().map(|(offset, _)| offset).collect();
    let own = |node: &IdedExpr| {
        let (characters, _) = info.offset_for(node.id)?;
        bytes.get(characters as usize).copied()
    };
    let place = |node: &IdedExpr| match &node.expr {
        Cel::Select(_) => own(leftmost(node)),
        Cel::Call(call) if call.func_name == operators::OPT_SELECT => own(leftmost(node)),
        // The recorded place of a call is its bracket.
        Cel::Call(call) => own(node).map(|at| {
            let start = at.saturating_sub(call.func_name.len());
            if source.get(start..at) == Some(&call.func_name) { start } else { at }
        }),
        _ => own(node),
    };
    nodes.iter().zip(twins).filter_map(|(node, twin)| Some((node.id, place(twin)?))).collect()
}

fn preorder<'a>(node: &'a IdedExpr, into: &mut Vec<&'a IdedExpr>) {
    into.push(node);
    for child in children(node) {
        preorder(child, into);
    }
}

fn children(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Cel::Call(call) => call.target.iter().map(AsRef::as_ref).chain(&call.args).collect(),
        Cel::List(list) => list.elements.iter().collect(),
        Cel::Select(select) => vec![&select.operand],
        Cel::Comprehension(looped) => {
            vec![&looped.iter_range, &looped.accu_init, &looped.loop_cond, &looped.loop_step, &looped.result]
        }
        _ => Vec::new(),
    }
}

fn is_deeper_than(node: &IdedExpr, levels: usize) -> bool {
    levels == 0 || children(node).into_iter().any(|child| is_deeper_than(child, levels - 1))
}

fn leftmost(node: &IdedExpr) -> &IdedExpr {
    children(node).first().map_or(node, |child| leftmost(child))
}

/// The parts of a condition that `&&` joins at its top.
pub(super) fn flatten_and<'a>(node: &'a IdedExpr, into: &mut Vec<&'a IdedExpr>) {
    match &node.expr {
        Cel::Call(call) if call.func_name == operators::LOGICAL_AND => {
            for arg in &call.args {
                flatten_and(arg, into);
            }
        }
        _ => into.push(node),
    }
}

/// The source cut at each `&&` that is not inside brackets or a text.
pub(super) fn split_conjuncts(source: &str) -> Vec<&str> {
    let bytes = source.as_bytes();
    let mut parts = Vec::new();
    let (mut start, mut depth, mut at) = (0, 0_usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            quote @ (b'"' | b'\'') => at = end_of_text(bytes, at, quote),
            b'&' if depth == 0 && bytes.get(at + 1) == Some(&b'&') => {
                parts.push(source[start..at].trim());
                at += 1;
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(source[start.min(source.len())..].trim());
    parts
}

/// The position of the quote that ends the text begun at `start`.
fn end_of_text(bytes: &[u8], start: usize, quote: u8) -> usize {
    let raw = start > 0 && matches!(bytes[start - 1], b'r' | b'R');
    let triple = bytes[start..].starts_with(&[quote; 3]);
    let mut at = start + if triple { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if !raw => at += 1,
            b if b == quote && !triple => return at,
            b if b == quote && bytes[at..].starts_with(&[quote; 3]) => return at + 2,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_a_condition_at_its_top_level() {
        let parts = split_conjuncts(r#"a && (b && c) && d == "x && y" && e in ['&&', r'\'] && f"#);
        assert_eq!(parts, ["a", "(b && c)", r#"d == "x && y""#, r"e in ['&&', r'\']", "f"]);
    }

    /// Positions of faults rest on both parsers building trees of one shape.
    #[test]
    fn both_parsers_build_trees_of_one_shape() {
        for source in [
            "event.amount > 10.55 && customer.?plan.orValue('x') == \"pro\"",
            "has(event.x) || !(event.y in ['a','b']) || -event.z < +5 - 3 * 2",
            "has(event.x) || !(event.y in ['a','b']) || -event.z < 5 - 3 * 2",
            "[event.a, event.b].mentions('x', 'y') && (a ? b : c) == true",
            "a && b && c && d || e && !f",
            "event.xs.exists(x, x > 1 && event.ys.map(y, y + x).filter(z, z != 0).all(w, [w][0] == 0))",
            "event.xs.exists_one(x, has(event.a)) && math.greatest(event.xs.map(x, x > 2, x * 2)) in [1, 2]",
            "timestamp('2026-01-01T00:00:00Z') - now > duration('1h') && size(event.t) == 2",
        ] {
            let fast = parse(source);
            let twin = Parser::new().enable_optional_syntax(true).parse(source);
            assert_eq!(fast.is_err(), twin.is_err(), "{source}");
            let (Ok(fast), Ok(twin)) = (fast, twin) else { continue };
            let (mut nodes, mut twins) = (Vec::new(), Vec::new());
            preorder(&fast, &mut nodes);
            preorder(&twin, &mut twins);
            let kind = |node: &&IdedExpr| std::mem::discriminant(&node.expr);
            assert_eq!(
                nodes.iter().map(kind).collect::<Vec<_>>(),
                twins.iter().map(kind).collect::<Vec<_>>(),
                "{source}"
            );
        }
    }

    #[test]
    fn places_syntax_faults() {
        let fault = parse("event.x ==\n  && 1").unwrap_err();
        assert_eq!(fault.len(), 1);
        assert_eq!(fault[0].offset, 13, "{fault:?}");
    }
}
