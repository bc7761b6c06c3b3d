//! The adoption itself: load, read, judge, write.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::super::args::Format;
use super::super::rows::Lines;
use super::super::train::{
    CONFIDENCE_PPM, Head, MANIFEST, Named, PRECISIONS_PPM, RowFaults, Watching, day, each_row, find, hex,
    refuse_stream, sha256_of, write_folder,
};
use super::args::Adopt;
use super::manifest::{Manifest, Training};
use super::report::{Judged, Report, ScoreTime};
use super::table::{self, Columns, SeenFeature, Table};
use crate::domain::{Raw, suggestion};
use crate::inference::{
    Calibration, Goal, ONNX_BYTES_MAX, Probability, ScopeCheck, Statistic, TabularModel, TabularScratch, certify,
};
use crate::time::Clock;
use crate::training::{AdoptedClassifier, RegressorQuality};

/// The model's file in its folder.
const MODEL: &str = "model.onnx";

/// Rows that are scored to tell how long it takes.
const TIMED_MAX: usize = 2_000;

pub(super) fn run(args: &Adopt) -> Result<Report, Vec<String>> {
    let named = args.target.named().map_err(one)?;
    refuse_stream(&args.data).map_err(one)?;
    let bytes = read_model(&args.model).map_err(one)?;
    let loaded = TabularModel::from_bytes(&bytes);
    let model = loaded.map_err(|fault| one(format!("`{}` cannot be used: {fault}", args.model.display())))?;
    let labels = labels(args, &model).map_err(one)?;
    let watching = Watching::new();
    let read = Adoption::read(args, &model, &watching);
    watching.done();
    let (table, training) = read?;
    let adoption = Adoption { args, named, bytes, model, labels, table, training };
    adoption.write_and_report(&Clock::system())
}

fn one(fault: String) -> Vec<String> {
    vec![fault]
}

fn read_model(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |e: std::io::Error| format!("cannot read `{}`: {e}", path.display());
    let mut bytes = Vec::new();
    // One byte more than is read of a model: it then says itself that it is too large.
    File::open(path).map_err(failed)?.take(ONNX_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The labels in the order of the model's outputs; none of a regressor.
fn labels(args: &Adopt, model: &TabularModel) -> Result<Vec<String>, String> {
    let own = model.outputs().labels().unwrap_or_default();
    let count = model.outputs().count();
    if own.is_empty() && count != 1 {
        return Err(format!("`{}` gives {count} numbers; a model that gives one can be used", args.model.display()));
    }
    if args.labels.is_empty() {
        return Ok(own);
    }
    if args.labels.len() != own.len() {
        let (given, shown) = (args.labels.len(), own.join(", "));
        return Err(format!("`--labels` names {given} labels, the model has {}: {shown}", own.len()));
    }
    match args.labels.iter().enumerate().find(|(at, label)| label.is_empty() || args.labels[..*at].contains(label)) {
        Some((_, label)) => Err(format!("`--labels`: `{label}` is empty or stands twice")),
        None => Ok(args.labels.clone()),
    }
}

/// What is needed to adopt a model.
struct Adoption<'a> {
    args: &'a Adopt,
    named: Named,
    bytes: Vec<u8>,
    model: TabularModel,
    labels: Vec<String>,
    table: Table,
    training: Training,
}

impl<'a> Adoption<'a> {
    fn read(args: &'a Adopt, model: &TabularModel, watching: &Watching) -> Result<(Table, Training), Vec<String>> {
        let inputs = model.inputs();
        let features = if args.features.is_empty() { &inputs.names } else { &args.features };
        let time = args.time.as_deref();
        let columns = Columns {
            features,
            count: inputs.count,
            one_of: &args.one_of,
            label: &args.label,
            time: time.filter(|_| args.trained_on.is_none()),
            apart: time,
        };
        let table = table::read(&args.data, args.target.format, &columns, watching)?;
        let training = match &args.trained_on {
            Some(file) => training_set(file, args.target.format, time, watching).map_err(one)?,
            None => Training {
                sha256: sha256_of(&args.data).map_err(one)?,
                rows: table.rows.len(),
                days: table.days.clone(),
                is_named: false,
            },
        };
        Ok((table, training))
    }

    fn write_and_report(self, clock: &Clock) -> Result<Report, Vec<String>> {
        let (judged, calibration) = if self.labels.is_empty() { self.regressor()? } else { self.classifier()? };
        let temperature = if let Judged::Classifier { adopted, .. } = &judged { adopted.temperature } else { 1.0 };
        let calibration = calibration.map(|rows| rows.write(&self.labels));
        let calibration_sha256 = calibration.as_ref().map(|text| hex(&Sha256::digest(text)));
        let manifest = Manifest {
            head: Head {
                named: &self.named,
                kind: "tabular",
                file: MODEL,
                sha256: &hex(&Sha256::digest(&self.bytes)),
                calibration_sha256: calibration_sha256.as_deref(),
                owner: &self.args.target.owner,
                created: clock.wall(),
                purposes: &self.args.target.purpose,
                labels: &self.labels,
                temperature,
            },
            training: self.training.clone(),
            metrics: &judged.metrics(),
            features: &self.table.features,
        };
        let manifest = manifest.text();
        let mut parts = vec![(MANIFEST, manifest.as_bytes()), (MODEL, self.bytes.as_slice())];
        parts.extend(calibration.as_ref().map(|text| ("calibration.csv", text.as_bytes())));
        write_folder(&self.args.target.out, &parts).map_err(one)?;
        let score_time = self.score_time(clock);
        Ok(Report {
            id: self.named.id,
            version: self.named.version,
            folder: self.args.target.out.display().to_string(),
            file: self.args.model.display().to_string(),
            rows: self.table.rows.len(),
            missing: missing(&self.table.features),
            features: self.table.features.into_iter().map(|feature| feature.name).collect(),
            labels: self.labels,
            judged,
            is_training_named: self.training.is_named,
            has_purpose: !self.args.target.purpose.is_empty(),
            bytes: self.bytes.len(),
            score_time,
        })
    }

    fn classifier(&self) -> Result<(Judged, Option<Calibration>), Vec<String>> {
        let own = self.model.outputs().labels().unwrap_or_default();
        let truths = self.truths(|label| {
            // The data may have the labels as they are named here, or as the model has them.
            let place = self.labels.iter().position(|known| known == label);
            let place = place.or_else(|| own.iter().position(|known| known == label));
            place.and_then(|place| u16::try_from(place).ok()).ok_or_else(|| {
                let hint = suggestion(label, self.labels.iter().map(String::as_str));
                let shown = self.labels.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
                format!("the model has no label `{label}`{hint}; it has {shown}; `--labels` gives them other names")
            })
        })?;
        let adopted = AdoptedClassifier::judge(&self.model, &self.table.rows, &truths, self.args.accuracy_min);
        let adopted = adopted.map_err(|error| one(format!("{}: {error}", self.args.data.display())))?;
        let calibration = adopted.held_out.calibration(adopted.temperature, 0);
        // Each label is a proposal of its own.
        let proposals: Vec<Option<u16>> = (0..).take(self.labels.len()).map(Some).collect();
        let told = calibration.by_proposal(&proposals, ScopeCheck::Off);
        let ppm = |ppm| Probability::from_ppm(ppm).unwrap_or(Probability::ONE);
        let certified = PRECISIONS_PPM.into_iter().filter_map(|precision| {
            let goal = Goal::new(ppm(precision), ppm(CONFIDENCE_PPM), Statistic::Confidence).ok()?;
            Some((goal, certify(&told, goal)))
        });
        let certified = certified.collect();
        Ok((Judged::Classifier { adopted: Box::new(adopted), certified }, Some(calibration)))
    }

    fn regressor(&self) -> Result<(Judged, Option<Calibration>), Vec<String>> {
        let truths = self.truths(|value| {
            let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or_else(|| format!("column `{}` holds `{value}`; expected a number", self.args.label))
        })?;
        let quality = RegressorQuality::judge(&self.model, &self.table.rows, &truths);
        let quality = quality.map_err(|error| one(format!("{}: {error}", self.args.data.display())))?;
        Ok((Judged::Regressor(quality), None))
    }

    /// The label of each row, read; or the faults, each with its line.
    fn truths<T>(&self, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, Vec<String>> {
        let mut truths = Vec::with_capacity(self.table.labels.len());
        let mut faults = RowFaults::of(self.args.data.display().to_string());
        for (label, line) in self.table.labels.iter().zip(&self.table.rows.lines) {
            match read(label) {
                Ok(truth) => truths.push(truth),
                Err(fault) => faults.note(*line, &fault),
            }
        }
        let faults = faults.done();
        if faults.is_empty() { Ok(truths) } else { Err(faults) }
    }

    /// How long a score takes: over the first rows, the second time that each is scored.
    fn score_time(&self, clock: &Clock) -> ScoreTime {
        let mut scratch = TabularScratch::default();
        let rows = &self.table.rows;
        let mut nanos = Vec::new();
        for _ in 0..2 {
            nanos.clear();
            for row in rows.features.chunks_exact(rows.columns).take(TIMED_MAX) {
                let start = clock.instant();
                std::hint::black_box(self.model.score(row, &mut scratch));
                nanos.push(clock.instant().since(start).as_nanos() as u64);
            }
        }
        nanos.sort_unstable();
        let at = |share: usize| nanos.get(nanos.len() * share / 100).copied().unwrap_or_default() as f64 / 1_000.0;
        ScoreTime { p50_us: at(50), p99_us: at(99) }
    }
}

fn missing(features: &[SeenFeature]) -> Vec<String> {
    features.iter().filter(|feature| feature.missing > 0).map(|feature| feature.name.clone()).collect()
}

/// The hash, the number of rows and the days of the file that a model was trained on.
fn training_set(
    file: &Path,
    format: Option<Format>,
    time: Option<&str>,
    watching: &Watching,
) -> Result<Training, String> {
    let name = file.display().to_string();
    if !fs::metadata(file).is_ok_and(|metadata| metadata.is_file()) {
        return Err(format!("`{name}` is no file; `--trained-on` names what the model was trained on"));
    }
    let (mut lines, size) = Lines::open(&name, format)?;
    let (mut rows, mut days) = (0, std::collections::BTreeSet::new());
    each_row(&mut lines, size, watching, |line, row| {
        let place = |fault: String| format!("{name}:{line}: {fault}");
        let row = row.map_err(place)?;
        rows += 1;
        if let Some(column) = time
            && let Some(Raw::Text(time)) = find(&row, column)
        {
            days.insert(day(column, time).map_err(place)?);
        }
        Ok(())
    })?;
    if rows == 0 {
        return Err(format!("`{name}` has no rows"));
    }
    let days = days.first().cloned().zip(days.last().cloned());
    Ok(Training { sha256: sha256_of(file)?, rows, days, is_named: true })
}
