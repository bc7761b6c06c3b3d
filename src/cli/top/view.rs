//! A frame on a terminal, or on paper.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Widget};

use super::past::Past;
use super::rates::Frame;
use super::sections;
use super::units;

/// From this width on there are two columns.
const TWO_COLUMNS_FROM: u16 = 78;

/// Wider than this is harder to read, not easier.
const WIDTH_MAX: u16 = 160;

/// What there is to be shown.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// `None` until there were two scrapes.
    pub(super) frame: Option<Frame>,
    pub(super) past: Past,
    /// The number of the playbook that is looked at.
    pub(super) playbook: usize,
    pub(super) is_paused: bool,
    pub(super) has_help: bool,
    /// Why the latest scrape failed.
    pub(super) trouble: Option<String>,
    /// Whom it is of, and how often it is asked.
    pub(super) asked: String,
}

const HELP: [&str; 17] = [
    "q, Esc      quit",
    "p, Space    pause, and go on",
    "Tab, ↓, →   the next playbook",
    "↑, ←        the playbook before",
    "?, h        this page",
    "",
    "Rates and percentiles are of the time between the last two scrapes.",
    "Percentiles come from the buckets of `/metrics`, three to a decade:",
    "they are interpolated within a bucket, as PromQL's",
    "histogram_quantile does, so they can be off by its width.",
    "Those of providers are learned from their latest answers.",
    "",
    "tiers       who proposed what was decided, as shares of the decisions",
    "fallbacks   why the default took the place of a proposal, likewise",
    "shed        not taken on for want of room or time",
    "refused     wrong requests",
    "busiest     customers by turns of about the last minute, at least so many",
];

impl View {
    /// Takes a frame; the first one says which playbook is looked at: the one that decides most.
    pub(super) fn take(&mut self, frame: Frame) {
        if self.frame.is_none() {
            let rates = frame.playbooks.iter().map(|of| of.latency.per_second).enumerate();
            self.playbook = rates.reduce(|a, b| if b.1 > a.1 { b } else { a }).map_or(0, |(number, _)| number);
        }
        self.frame = Some(frame);
    }

    pub(super) fn draw(&self, area: Rect, buffer: &mut Buffer) {
        let area = Rect { width: area.width.min(WIDTH_MAX), ..area };
        let header = self.header();
        let [head, body, foot] =
            Layout::vertical([Constraint::Length(header.len() as u16), Constraint::Min(0), Constraint::Length(1)])
                .areas(area);
        Paragraph::new(header).render(head, buffer);
        Paragraph::new(self.footer()).render(foot, buffer);
        match &self.frame {
            Some(frame) => self.draw_body(frame, body, buffer),
            None => Paragraph::new("waiting for two scrapes …").dim().render(body, buffer),
        }
        if self.has_help {
            draw_help(body, buffer);
        }
    }

    fn draw_body(&self, frame: &Frame, area: Rect, buffer: &mut Buffer) {
        if area.width < TWO_COLUMNS_FROM {
            let width = usize::from(area.width);
            let lines = [sections::left(self, frame, width), sections::right(frame, width)].concat();
            return draw_column(lines, area, buffer);
        }
        let [left, _, right] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Length(2), Constraint::Fill(1)]).areas(area);
        draw_column(sections::left(self, frame, usize::from(left.width)), left, buffer);
        draw_column(sections::right(frame, usize::from(right.width)), right, buffer);
    }

    /// Lines that a frame needs at a width, header and footer included.
    pub(super) fn height_at(&self, width: u16) -> u16 {
        let Some(frame) = &self.frame else { return 3 };
        let half = usize::from(width.min(WIDTH_MAX) / 2);
        let (left, right) = (sections::left(self, frame, half), sections::right(frame, half));
        let body = if width < TWO_COLUMNS_FROM { left.len() + right.len() } else { left.len().max(right.len()) };
        (self.header().len() + body + 1) as u16
    }

    /// The engine, and what is wrong with it.
    fn header(&self) -> Vec<Line<'static>> {
        let Some(frame) = &self.frame else {
            return vec![Line::from(vec!["forthwith".bold(), Span::from(format!("  {}", self.asked))])];
        };
        let engine = &frame.engine;
        let mut spans = vec![
            Span::from(
                engine.version.as_ref().map_or("forthwith".to_owned(), |version| format!("forthwith {version}")),
            )
            .bold(),
        ];
        spans.push(match (engine.ready, engine.status.as_str()) {
            (true, "ok") => Span::from("  ready").fg(Color::Green),
            (true, status) => Span::from(format!("  ready: {status}")).fg(Color::Yellow),
            (false, "") => Span::from("  not known to be ready").fg(Color::Yellow),
            (false, status) => Span::from(format!("  NOT READY: {status}")).fg(Color::Red).bold(),
        });
        if let Some(uptime) = engine.uptime_seconds {
            spans.push(Span::from(format!("  up {}", units::age(uptime))));
        }
        if let Some(bundle) = &engine.bundle {
            // As much of the hash as people tell bundles apart by.
            let hash = bundle.strip_prefix("sha256:").unwrap_or(bundle);
            spans.push(Span::from(format!("  bundle {}", hash.chars().take(12).collect::<String>())));
        }
        spans.push(Span::from(format!("  {}", engine.url)).dim());
        let wrong = engine.reason.iter().chain(&engine.warnings);
        let wrong = wrong.map(|line| Line::from(format!("  {line}")).fg(Color::Yellow));
        [Line::from(spans)].into_iter().chain(wrong.take(3)).collect()
    }

    /// What went wrong with the asking, or the keys.
    fn footer(&self) -> Line<'static> {
        if let Some(trouble) = &self.trouble {
            return Line::from(format!("{trouble}; going on trying")).fg(Color::Red).bold();
        }
        let of = self
            .frame
            .as_ref()
            .map_or_else(String::new, |frame| format!("of the last {}  ", units::time(Some(frame.seconds))));
        let mut spans = vec![Span::from(of).dim()];
        if self.is_paused {
            spans.push(Span::from("PAUSED  ").fg(Color::Yellow).bold());
        }
        spans.push(Span::from("q quit  p pause  Tab playbook  ? help").dim());
        Line::from(spans)
    }
}

/// Draws lines from the top; where they are too many, the last one says so.
fn draw_column(mut lines: Vec<Line<'static>>, area: Rect, buffer: &mut Buffer) {
    let room = usize::from(area.height);
    if lines.len() > room && room > 0 {
        let more = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(Line::from(format!("… {more} lines more in a larger window")).style(Style::new().dim()));
    }
    Paragraph::new(lines).render(area, buffer);
}

fn draw_help(area: Rect, buffer: &mut Buffer) {
    Clear.render(area, buffer);
    Paragraph::new(HELP.map(Line::from).to_vec()).render(area, buffer);
}
