//! Figures as tables show them.

/// Nanoseconds with three figures and a unit.
pub(crate) fn time(nanos: f64) -> String {
    match nanos {
        _ if nanos < 1e3 => format!("{nanos:.0} ns"),
        _ if nanos < 1e6 => format!("{} µs", figures(nanos / 1e3)),
        _ if nanos < 1e9 => format!("{} ms", figures(nanos / 1e6)),
        _ => format!("{} s", figures(nanos / 1e9)),
    }
}

fn figures(number: f64) -> String {
    match number {
        _ if number < 10.0 => format!("{number:.2}"),
        _ if number < 100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}
