//! A chart as SVG, wide and narrow, with its legend above and its numbers below.

use std::fmt::Write;

use super::chart::{Chart, Form, Look, Series, Width};
use super::markup::Escaped;

/// A canvas, in the units of its drawing; letters are 12 of them high.
#[derive(Clone, Copy, Debug)]
struct Canvas {
    /// `wide` or `narrow`, of which the style sheet shows one.
    class: &'static str,
    width: f64,
    height: f64,
    left: f64,
    ticks: usize,
}

const TOP: f64 = 44.0;
const RIGHT: f64 = 14.0;
const BOTTOM: f64 = 40.0;

/// How large the number of a mark is.
const MARK: f64 = 8.0;

/// About how wide a letter is.
const LETTER: f64 = 6.4;

impl Canvas {
    fn wide(width: Width) -> Self {
        let (width, height, ticks) = match width {
            Width::Full => (1_100.0, 340.0, 14),
            Width::Half => (540.0, 310.0, 8),
            Width::Third => (350.0, 236.0, 5),
        };
        Self { class: "wide", width, height, left: 62.0, ticks }
    }

    fn narrow() -> Self {
        Self { class: "narrow", width: 360.0, height: 244.0, left: 60.0, ticks: 5 }
    }

    fn across(&self) -> f64 {
        self.width - self.left - RIGHT
    }

    fn down(&self) -> f64 {
        self.height - TOP - BOTTOM
    }

    fn bottom(&self) -> f64 {
        self.height - BOTTOM
    }
}

/// Writes the chart with all that belongs to it.
pub(super) fn figure(page: &mut String, chart: &Chart) {
    let width = match chart.width {
        Width::Full => "full",
        Width::Half => "half",
        Width::Third => "third",
    };
    let _ = write!(
        page,
        "<figure class=\"{width}\" id=\"{}\">\n<figcaption><h2>{}</h2><p>{}</p></figcaption>\n",
        chart.id,
        Escaped(&chart.title),
        Escaped(&chart.says)
    );
    legend(page, chart);
    page.push_str("<div class=\"canvas\">\n");
    for canvas in [Canvas::wide(chart.width), Canvas::narrow()] {
        drawing(page, chart, canvas);
    }
    page.push_str("</div>\n");
    numbers(page, chart);
    page.push_str("</figure>\n");
}

fn legend(page: &mut String, chart: &Chart) {
    // A line alone has the chart's name; what is stacked has a name of its own.
    if chart.series.len() < 2 && chart.form == Form::Lines {
        return;
    }
    page.push_str("<ul class=\"legend\">");
    for series in chart.told() {
        let look = match series.look {
            Look::Area => "area",
            Look::Dashed => "dashed",
            Look::Line | Look::Faint => "line",
        };
        let _ = write!(
            page,
            "<li><svg class=\"key\" viewBox=\"0 0 22 10\" aria-hidden=\"true\"><path class=\"{look} c{}\" d=\"{}\"/></svg>{}</li>",
            series.colour,
            if series.look == Look::Area { "M0 0H22V10H0Z" } else { "M0 5H22" },
            Escaped(&series.name)
        );
    }
    page.push_str("</ul>\n");
}

fn drawing(page: &mut String, chart: &Chart, canvas: Canvas) {
    let Canvas { class, width, height, left, .. } = canvas;
    let name = format!("{}-{class}", chart.id);
    let _ = write!(
        page,
        "<svg class=\"chart {class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{name}-t {name}-d\" \
         data-left=\"{left}\" data-across=\"{}\">\n<title id=\"{name}-t\">{}</title>\n<desc id=\"{name}-d\">{}</desc>\n",
        canvas.across(),
        Escaped(&chart.title),
        Escaped(&chart.description())
    );
    bands(page, chart, canvas);
    axes(page, chart, canvas);
    let floors = chart.floors();
    for (series, floor) in chart.series.iter().zip(&floors) {
        let line = trace(chart, canvas, series, floor);
        let look = match series.look {
            Look::Line => "line",
            Look::Dashed => "dashed",
            Look::Faint => "faint",
            Look::Area => "area",
        };
        let _ = writeln!(page, "<path class=\"{look} c{}\" d=\"{line}\"/>", series.colour);
    }
    guides(page, chart, canvas);
    marks(page, chart, canvas);
    let _ = write!(page, "<line class=\"cross\" x1=\"0\" x2=\"0\" y1=\"{TOP}\" y2=\"{}\"/>\n</svg>\n", canvas.bottom());
}

fn x(chart: &Chart, canvas: Canvas, value: f64) -> f64 {
    canvas.left + chart.x.scale.at(value).clamp(0.0, 1.0) * canvas.across()
}

fn y(chart: &Chart, canvas: Canvas, value: f64) -> f64 {
    canvas.bottom() - chart.y.scale.at(value).clamp(0.0, 1.0) * canvas.down()
}

/// The path of a series: a line, broken where nothing was measured, or an area above its floor.
fn trace(chart: &Chart, canvas: Canvas, series: &Series, floor: &[f64]) -> String {
    let mut path = String::new();
    if series.look == Look::Area && chart.form == Form::Stacked {
        let places = || chart.at.iter().zip(series.values.iter().zip(floor));
        for (nth, (at, (value, below))) in places().enumerate() {
            let top = y(chart, canvas, below + value.unwrap_or(0.0));
            let _ = write!(path, "{}{:.1} {top:.1}", if nth == 0 { "M" } else { "L" }, x(chart, canvas, *at));
        }
        for (at, (_, below)) in places().rev() {
            let _ = write!(path, "L{:.1} {:.1}", x(chart, canvas, *at), y(chart, canvas, *below));
        }
        path.push_str(if path.is_empty() { "" } else { "Z" });
        return path;
    }
    let mut is_broken = true;
    for (at, value) in chart.at.iter().zip(&series.values) {
        match value {
            Some(value) => {
                let step = if is_broken { "M" } else { "L" };
                let _ = write!(path, "{step}{:.1} {:.1}", x(chart, canvas, *at), y(chart, canvas, *value));
                // A point between two gaps is still to be seen: the line's round ends make a dot of it.
                if is_broken {
                    path.push_str("h0");
                }
                is_broken = false;
            }
            None => is_broken = true,
        }
    }
    path
}

fn axes(page: &mut String, chart: &Chart, canvas: Canvas) {
    let (left, right, bottom) = (canvas.left, canvas.width - RIGHT, canvas.bottom());
    page.push_str("<g class=\"axis\" aria-hidden=\"true\">\n");
    for tick in chart.y.scale.ticks(chart.y.along, 5) {
        let at = y(chart, canvas, tick);
        let _ = writeln!(
            page,
            "<path d=\"M{left} {at:.1}H{right}\"/><text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            left - 8.0,
            at + 4.0,
            Escaped(&chart.y.along.tick(tick))
        );
    }
    for tick in chart.x.scale.ticks(chart.x.along, canvas.ticks) {
        let at = x(chart, canvas, tick);
        let label = chart.x.along.tick(tick);
        // The last one would reach over the edge.
        let middle = at.min(canvas.width - 1.0 - label.chars().count() as f64 * LETTER / 2.0);
        let _ = writeln!(
            page,
            "<path class=\"tick\" d=\"M{at:.1} {bottom:.1}v5\"/><text class=\"x\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>",
            bottom + 18.0,
            Escaped(&label)
        );
    }
    let _ = write!(
        page,
        "<path class=\"base\" d=\"M{left} {bottom:.1}H{right}\"/>\n<text class=\"name\" x=\"{right}\" y=\"{:.1}\">{}</text>\n\
         <text class=\"name over\" x=\"2\" y=\"12\">{}</text>\n</g>\n",
        canvas.height - 5.0,
        Escaped(chart.x.name),
        Escaped(chart.y.name)
    );
}

fn bands(page: &mut String, chart: &Chart, canvas: Canvas) {
    for band in &chart.bands {
        let (from, to) = (x(chart, canvas, band.from), x(chart, canvas, band.to));
        if band.is_shaded {
            let _ = writeln!(
                page,
                "<rect class=\"shade\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                to - from,
                canvas.down()
            );
        }
        let _ = writeln!(page, "<path class=\"phase\" d=\"M{from:.1} {:.1}V{:.1}\"/>", TOP - 14.0, canvas.bottom());
        let not_counted = format!("{} (not counted)", band.name);
        let names = [&not_counted, &band.name];
        let fits = |name: &&&String| (name.chars().count() as f64) * LETTER < to - from - 4.0;
        if let Some(name) = names.iter().skip(usize::from(!band.is_shaded)).find(fits) {
            let _ = writeln!(
                page,
                "<text class=\"phase\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                from + 1.0,
                TOP - 5.0,
                Escaped(name)
            );
        }
    }
}

fn guides(page: &mut String, chart: &Chart, canvas: Canvas) {
    let (low, high) = chart.y.scale.ends();
    for (value, name) in chart.guides.iter().filter(|(value, _)| (low..=high).contains(value)) {
        let at = y(chart, canvas, *value);
        let right = canvas.width - RIGHT;
        let _ = writeln!(
            page,
            "<path class=\"guide\" d=\"M{} {at:.1}H{right}\"/><text class=\"guide\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            canvas.left,
            right - 4.0,
            at - 5.0,
            Escaped(name)
        );
    }
}

/// Moments with their numbers; one that stands too near to the last numbered one is a line alone.
fn marks(page: &mut String, chart: &Chart, canvas: Canvas) {
    let mut free = f64::NEG_INFINITY;
    for (nth, mark) in chart.marks.iter().enumerate() {
        let at = x(chart, canvas, *mark);
        let _ = writeln!(page, "<path class=\"mark\" d=\"M{at:.1} {:.1}V{:.1}\"/>", TOP - 20.0, canvas.bottom());
        if at < free {
            continue;
        }
        free = at + 2.0 * MARK + 2.0;
        let _ = writeln!(
            page,
            "<circle class=\"mark\" cx=\"{at:.1}\" cy=\"{:.1}\" r=\"{MARK}\"/><text class=\"mark\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
            TOP - 28.0,
            TOP - 24.0,
            nth + 1
        );
    }
}

/// The numbers behind the chart, folded; the script takes from here what it shows.
fn numbers(page: &mut String, chart: &Chart) {
    let _ = write!(
        page,
        "<details><summary>Numbers</summary>\n<div class=\"scroll\"><table class=\"numbers\">\n<caption>{}</caption>\n<thead><tr><th scope=\"col\">{}</th>",
        Escaped(&chart.title),
        Escaped(chart.x.name)
    );
    for series in chart.told() {
        let _ = write!(page, "<th scope=\"col\">{}</th>", Escaped(&series.name));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for (nth, at) in chart.at.iter().enumerate() {
        let place = chart.x.scale.at(*at);
        let _ =
            write!(page, "<tr data-at=\"{place:.4}\"><th scope=\"row\">{}</th>", Escaped(&chart.x.along.write(*at)));
        for series in chart.told() {
            let value =
                series.values.get(nth).copied().flatten().map_or("-".to_owned(), |value| chart.y.along.write(value));
            let _ = write!(page, "<td>{}</td>", Escaped(&value));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table></div></details>\n");
}
