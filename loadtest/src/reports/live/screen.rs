//! The view as a box on a terminal.

use std::collections::{BTreeMap, VecDeque};

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, LineGauge, Paragraph, Sparkline, Widget};

use super::view::View;
use crate::reports::units;

/// Lines of the box.
pub(super) const HEIGHT: u16 = 14;

/// From this width the last two minutes are drawn beside the numbers.
const WIDTH_WITH_SPARKLINES: u16 = 96;

/// How wide they are.
const SPARKLINE_WIDTH: u16 = 30;

/// How wide the names at the left are.
const NAME_WIDTH: usize = 12;

pub(super) fn draw(view: &View, area: Rect, buffer: &mut Buffer) {
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(Style::new().fg(Color::DarkGray))
        .title(Line::from(vec![" ".into(), view.watched.scenario.clone().bold(), " ".into()]))
        .title(run(view).right_aligned())
        .title_bottom(happened(view));
    let inner = block.inner(area);
    block.render(area, buffer);
    let [progress, _, rest] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Min(0)]).areas(inner);
    draw_progress(view, progress, buffer);
    let beside = if area.width >= WIDTH_WITH_SPARKLINES { SPARKLINE_WIDTH } else { 0 };
    let [numbers, sparklines] = Layout::horizontal([Constraint::Min(0), Constraint::Length(beside)]).areas(rest);
    Paragraph::new(lines(view)).render(numbers, buffer);
    if beside > 0 {
        draw_sparklines(view, sparklines, buffer);
    }
}

fn run(view: &View) -> Line<'static> {
    if view.watched.runs > 1 {
        Line::from(format!(" run {} of {} ", view.watched.run, view.watched.runs))
    } else {
        Line::default()
    }
}

/// The last thing that was done to the engine.
fn happened(view: &View) -> Line<'static> {
    view.happened.as_ref().map_or_else(Line::default, |told| Line::from(format!(" {told} ")).fg(Color::Yellow))
}

fn draw_progress(view: &View, area: Rect, buffer: &mut Buffer) {
    let phase = view.phase().map_or("", |phase| phase.name.as_str());
    let is_counted = view.phase().is_none_or(|phase| phase.is_counted);
    let counted = if is_counted { "" } else { " (not counted)" };
    let left = format!("{} left", units::seconds(view.left_s()));
    let ratio = if view.end_s() > 0.0 { (view.now_s() / view.end_s()).clamp(0.0, 1.0) } else { 0.0 };
    let [bar, words] = Layout::horizontal([Constraint::Min(0), Constraint::Length(left.len() as u16 + 2)]).areas(area);
    LineGauge::default()
        .label(Line::from(format!("{phase}{counted}")).bold())
        .filled_symbol("━")
        .unfilled_symbol("─")
        .filled_style(Style::new().fg(Color::Cyan))
        .unfilled_style(Style::new().fg(Color::DarkGray))
        .ratio(ratio)
        .render(bar, buffer);
    Paragraph::new(left).right_aligned().render(words, buffer);
}

fn lines(view: &View) -> Vec<Line<'static>> {
    let (last, whole, total) = (&view.last, &view.whole, &view.total);
    vec![
        named(
            "rate",
            [
                ("offered", units::count(last.offered as f64) + "/s"),
                ("answered", units::count(last.answered as f64) + "/s"),
            ]
            .into_iter()
            .chain([("in flight", units::count(last.in_flight as f64))]),
        ),
        Line::from(format!("{:NAME_WIDTH$}{:>10}{:>10}{:>10}{:>10}", "latency", "p50", "p99", "p99.9", "max")).dim(),
        ladder(view, "last second", [last.p50_us, last.p99_us, last.p999_us, last.max_us]),
        ladder(view, "whole run", [whole.p50_us, whole.p99_us, whole.p999_us, whole.max_us]),
        lost("late", last.late, total.late, total.answered),
        lost("shed", last.shed, total.shed, total.answered),
        lost("failed", last.failed, total.failed, total.answered),
        shares("tiers", &total.tiers, total.answered),
        shares("fallbacks", &total.fallbacks, total.answered),
        named(
            "engine",
            [
                ("processors", format!("{:.2}", view.usage.processors)),
                ("memory", units::bytes(view.usage.resident_bytes as f64)),
                ("files", units::count(view.usage.open_files as f64)),
                ("threads", units::count(view.usage.threads as f64)),
            ],
        ),
    ]
}

fn name(name: &str) -> Span<'static> {
    Span::from(format!("{name:NAME_WIDTH$}")).dim()
}

fn named(of: &str, values: impl IntoIterator<Item = (&'static str, String)>) -> Line<'static> {
    let mut spans = vec![name(of)];
    for (what, value) in values {
        spans.extend([Span::from(value).bold(), Span::from(format!(" {what}  "))]);
    }
    Line::from(spans)
}

fn ladder(view: &View, of: &str, [p50, p99, p999, max]: [f64; 4]) -> Line<'static> {
    let plain = |us: f64| Span::from(format!("{:>10}", units::micros(us)));
    let p99 = if view.is_above_promise(p99) { plain(p99).fg(Color::Red).bold() } else { plain(p99).bold() };
    Line::from(vec![name(of), plain(p50), p99, plain(p999), plain(max)])
}

fn lost(of: &str, last: u64, total: u64, answered: u64) -> Line<'static> {
    let style = match (last, total) {
        (0, 0) => Style::new().fg(Color::Green),
        (0, _) => Style::new().fg(Color::Yellow),
        _ => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    };
    let share = total as f64 / (answered + total).max(1) as f64;
    let share = if total == 0 { String::new() } else { format!(" ({})", units::share(share)) };
    let number = |number: u64| units::count(number as f64);
    Line::from(vec![
        name(of),
        Span::styled(format!("{}/s", number(last)), style),
        Span::styled(format!("  so far {}{share}", number(total)), style),
    ])
}

fn shares(of: &str, numbers: &BTreeMap<String, u64>, whole: u64) -> Line<'static> {
    let mut sorted: Vec<_> = numbers.iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let mut spans = vec![name(of)];
    if sorted.is_empty() {
        spans.push("none".into());
    }
    for (what, number) in sorted {
        let share = units::share(*number as f64 / whole.max(1) as f64);
        spans.extend([Span::from(share).bold(), Span::from(format!(" {what}  "))]);
    }
    Line::from(spans)
}

fn draw_sparklines(view: &View, area: Rect, buffer: &mut Buffer) {
    let kept: [(&str, &VecDeque<u64>, Color); 3] = [
        ("answered", &view.rates, Color::Cyan),
        ("p99", &view.p99s_us, Color::Magenta),
        ("processors", &view.busy, Color::Green),
    ];
    let areas: [Rect; 3] = Layout::vertical([Constraint::Length(3); 3]).areas(area);
    for ((title, values, color), area) in kept.into_iter().zip(areas) {
        let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Length(2)]).areas(area);
        Paragraph::new(Line::from(title).dim()).render(head, buffer);
        let shown = values.iter().rev().take(area.width as usize).rev().copied();
        Sparkline::default().data(shown).style(Style::new().fg(color)).render(body, buffer);
    }
}
