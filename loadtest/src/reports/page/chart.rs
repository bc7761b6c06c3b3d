//! What a chart shows, apart from how it is drawn.

use super::scale::{Along, Scale};

/// A chart: named series over one axis.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// Its name in the page; letters only.
    pub(super) id: &'static str,
    pub(super) title: String,
    /// What is to be seen in it, for who reads and for who cannot see it.
    pub(super) says: String,
    pub(super) width: Width,
    pub(super) form: Form,
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// Where on the x axis the values of all series lie.
    pub(super) at: Vec<f64>,
    pub(super) series: Vec<Series>,
    /// Values of y that are promised not to be passed.
    pub(super) guides: Vec<(f64, String)>,
    pub(super) bands: Vec<Band>,
    /// Numbered moments on the x axis.
    pub(super) marks: Vec<f64>,
}

/// How much of a wide page it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Full,
    Half,
    Third,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Lines,
    /// Areas upon each other; a series that is `Look::Line` lies over them.
    Stacked,
}

#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) name: &'static str,
    pub(super) along: Along,
    pub(super) scale: Scale,
}

#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    /// Which of the colours of the style sheet, from 1.
    pub(super) colour: usize,
    pub(super) look: Look,
    /// As many as the chart has places; none where nothing was measured.
    pub(super) values: Vec<Option<f64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Line,
    Dashed,
    /// One of many, in the background: not in the table.
    Faint,
    Area,
}

/// A stretch of the x axis with a name.
#[derive(Clone, Debug)]
pub(super) struct Band {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) name: String,
    pub(super) is_shaded: bool,
}

impl Chart {
    /// Series that a reader is told of.
    pub(super) fn told(&self) -> impl Iterator<Item = &Series> {
        self.series.iter().filter(|series| series.look != Look::Faint)
    }

    /// What lies below a stacked series at each place.
    pub(super) fn floors(&self) -> Vec<Vec<f64>> {
        let mut floor = vec![0.0; self.at.len()];
        let mut floors = Vec::with_capacity(self.series.len());
        for series in &self.series {
            floors.push(floor.clone());
            if series.look == Look::Area {
                for (below, value) in floor.iter_mut().zip(&series.values) {
                    *below += value.unwrap_or(0.0);
                }
            }
        }
        floors
    }

    /// The chart in a sentence for each series.
    pub(super) fn description(&self) -> String {
        let mut sentences = vec![self.says.clone()];
        for series in self.told() {
            let values = || series.values.iter().flatten().copied();
            let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
            if low <= high {
                let write = |value| self.y.along.write(value);
                sentences.push(format!("{}: from {} to {}.", series.name, write(low), write(high)));
            }
        }
        sentences.join(" ")
    }
}
