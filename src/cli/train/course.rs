//! The training itself: read, learn, measure, write.

use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::args::Train;
use super::folder;
use super::learnt::{Learnt, Told};
use super::manifest::{Head, Manifest, OutOfScope};
use super::report::{Measured, Report, Scope, Tested};
use super::target::Named;
use super::texts::{self, Columns, ReadTexts};
use super::watching::Watching;
use crate::inference::{
    Calibration, Goal, Judgement, Probability, Quality, ScopeCheck, ScopeCriterion, ScopeThreshold, Statistic,
    TEXT_BYTES_MAX, certify,
};
use crate::time::Clock;
use crate::training::{Demands, LabelledText, LabelledTexts};

/// The share of texts in scope that the threshold of scope keeps: what it costs is known, and an escalation is no loss.
const KEPT_PPM: u32 = 950_000;

/// Precisions for which a threshold is certified, and with what confidence, to show what the model is good for.
pub(in crate::cli) const PRECISIONS_PPM: [u32; 2] = [950_000, 970_000];
pub(in crate::cli) const CONFIDENCE_PPM: u32 = 950_000;

pub(super) fn run(args: &Train) -> Result<Report, Vec<String>> {
    let named = args.target.named().map_err(one)?;
    texts::refuse_stream(&args.data).map_err(one)?;
    let (clock, watching) = (Clock::system(), Watching::new());
    let start = clock.instant();
    let files = Files::read(args, &watching).inspect_err(|_| watching.done())?;
    let learnt = Learnt::learn(args, &files.texts, &files.strangers, &watching);
    watching.done();
    let learnt = learnt.map_err(one)?;
    let finished = Finished { args, named, files, learnt, clock };
    finished.write_and_report(|clock| clock.instant().since(start))
}

fn one(fault: String) -> Vec<String> {
    vec![fault]
}

/// What was read.
struct Files {
    texts: LabelledTexts,
    days: Option<(String, String)>,
    strangers: Vec<Vec<String>>,
    test: Option<Vec<LabelledText>>,
}

impl Files {
    fn read(args: &Train, watching: &Watching) -> Result<Self, Vec<String>> {
        let read = |path: &Path, label, time| {
            texts::read(path, args.target.format, &Columns { texts: &args.text, label, time }, watching)
        };
        let mut faults = Vec::new();
        let mut gather = |read: Result<ReadTexts, Vec<String>>| match read {
            Ok(read) => Some(read),
            Err(found) => {
                faults.extend(found);
                None
            }
        };
        let data = gather(read(&args.data, Some(&args.label), args.time.as_deref()));
        let test = args.test.as_deref().and_then(|path| gather(read(path, Some(&args.label), None)));
        let strange = args.out_of_scope.as_deref().and_then(|path| gather(read(path, None, None)));
        let Some(data) = data.filter(|_| faults.is_empty()) else { return Err(faults) };
        let demands = Demands {
            rows_min: args.labels_min,
            drops_rare_labels: args.drop_rare,
            drops_empty_texts: args.skip_empty,
            text_bytes_max: TEXT_BYTES_MAX,
        };
        let texts = LabelledTexts::of(data.texts, &demands);
        let name = args.data.display();
        let texts =
            texts.map_err(|faults| faults.iter().map(|fault| format!("{name}: {fault}")).collect::<Vec<_>>())?;
        if let Some(label) = &args.out_of_scope_label
            && !texts.labels().contains(label)
        {
            let hint = crate::domain::suggestion(label, texts.labels().iter().map(String::as_str));
            return Err(one(format!("`--out-of-scope-label {label}`: {name} has no such label{hint}")));
        }
        let strangers = strange.map_or_else(Vec::new, |read| read.texts.into_iter().map(|text| text.parts).collect());
        Ok(Self { texts, days: data.days, strangers, test: test.map(|read| read.texts) })
    }
}

/// A training that succeeded.
struct Finished<'a> {
    args: &'a Train,
    named: Named,
    files: Files,
    learnt: Learnt,
    clock: Clock,
}

impl Finished<'_> {
    fn write_and_report(mut self, took: impl Fn(&Clock) -> Duration) -> Result<Report, Vec<String>> {
        let args = self.args;
        let calibration = self.learnt.held_out.calibration(self.learnt.temperature, args.seed);
        let scope = self.scope(&calibration)?;
        let models = self.learnt.files();
        let bytes = models.iter().map(|file| file.bytes.len()).sum();
        let entries: Vec<_> =
            models.iter().map(|file| (file.role, file.name, texts::hex(&Sha256::digest(&file.bytes)))).collect();
        let calibration_text = calibration.write(self.files.texts.labels());
        let calibration_sha256 = texts::hex(&Sha256::digest(&calibration_text));
        let manifest = self.manifest(&entries, &calibration_sha256, &scope)?;
        let mut report = self.report(&calibration, scope, bytes).map_err(one)?;
        let texts = [(folder::MANIFEST, manifest.as_bytes()), ("calibration.csv", calibration_text.as_bytes())];
        let models = models.iter().map(|file| (file.name, &*file.bytes));
        let parts: Vec<(&str, &[u8])> = texts.into_iter().chain(models).collect();
        folder::write(&args.target.out, &parts).map_err(one)?;
        report.seconds = took(&self.clock).as_secs_f64();
        Ok(report)
    }

    /// How the model tells what is out of its scope: by a label of its own, by a threshold fitted on strangers, or not.
    fn scope(&self, calibration: &Calibration) -> Result<Scope, Vec<String>> {
        if let Some(label) = &self.args.out_of_scope_label {
            return Ok(Scope::Label(label.clone()));
        }
        let Some(file) = &self.args.out_of_scope else { return Ok(Scope::Off) };
        let keep = Probability::from_ppm(KEPT_PPM).unwrap_or(Probability::ONE);
        let fitted: Result<ScopeThreshold, _> = calibration.fit_scope(ScopeCriterion::Keep(keep));
        let texts = self.files.strangers.len();
        let threshold = fitted.map_err(|error| one(format!("{}: {error}", file.display())))?;
        Ok(Scope::Below { threshold, texts })
    }

    fn manifest(
        &self,
        models: &[(&str, &str, String)],
        calibration_sha256: &str,
        scope: &Scope,
    ) -> Result<String, Vec<String>> {
        let Self { args, files, learnt, .. } = self;
        let Some(((_, file, sha256), further)) = models.split_first() else {
            return Err(one("the model has no file".to_owned()));
        };
        let manifest = Manifest {
            head: Head {
                named: &self.named,
                kind: learnt.kind(),
                file,
                sha256,
                calibration_sha256: Some(calibration_sha256),
                owner: &args.target.owner,
                created: self.clock.wall(),
                purposes: &args.target.purpose,
                labels: files.texts.labels(),
                temperature: learnt.temperature,
            },
            files: further,
            out_of_scope: match scope {
                Scope::Off => None,
                Scope::Label(label) => Some(OutOfScope::Label(label.clone())),
                Scope::Below { threshold, .. } => Some(OutOfScope::Below(threshold.below)),
            },
            data_sha256: texts::sha256_of(&args.data).map_err(one)?,
            rows: files.texts.len(),
            days: files.days.clone(),
            quality: learnt.quality,
        };
        Ok(manifest.text())
    }

    fn report(&mut self, calibration: &Calibration, scope: Scope, bytes: usize) -> Result<Report, String> {
        let score_time = self.learnt.score_time(&self.files.texts, &self.clock)?;
        let labels = self.files.texts.labels();
        let check = match &scope {
            Scope::Off => ScopeCheck::Off,
            Scope::Label(label) => {
                let place = labels.binary_search(label).unwrap_or_default();
                ScopeCheck::Label(place as u16)
            }
            Scope::Below { threshold, .. } => ScopeCheck::Below(threshold.below),
        };
        let test = self.files.test.take().map(|texts| self.test(&texts, check)).transpose()?;
        let Self { args, files, learnt, .. } = self;
        let labels = files.texts.labels();
        // Each label is a proposal of its own.
        let proposals: Vec<Option<u16>> = (0..labels.len() as u16).map(Some).collect();
        let judged = calibration.by_proposal(&proposals, check);
        let ppm = |ppm| Probability::from_ppm(ppm).unwrap_or(Probability::ONE);
        let certified = PRECISIONS_PPM.into_iter().filter_map(|precision| {
            let goal = Goal::new(ppm(precision), ppm(CONFIDENCE_PPM), Statistic::Confidence).ok()?;
            Some((goal, certify(&judged, goal)))
        });
        let certified: Vec<_> = certified.collect();
        let judgements = learnt.held_out.judgements(learnt.temperature);
        let heldout = Measured::of(judgements, labels);
        Ok(Report {
            id: self.named.id.clone(),
            version: self.named.version,
            folder: args.target.out.display().to_string(),
            rows: files.texts.len(),
            findings: files.texts.findings.clone(),
            counts: files.texts.counts(),
            labels: labels.to_vec(),
            raw: learnt.raw_quality,
            heldout,
            test,
            temperature: learnt.temperature,
            strength: learnt.strength,
            emphasis: learnt.emphasis(),
            scope,
            certified,
            bytes,
            buckets: learnt.buckets(),
            score_time,
            has_purpose: !args.target.purpose.is_empty(),
            seconds: 0.0,
        })
    }

    /// What the finished model says of texts that are only for measuring. A label that it does not know counts as told wrongly.
    fn test(&mut self, texts: &[LabelledText], check: ScopeCheck) -> Result<Tested, String> {
        let parts: Vec<&[String]> = texts.iter().map(|text| text.parts.as_slice()).collect();
        let told = self.learnt.tell(&parts, check)?;
        let labels = self.files.texts.labels();
        let judge = |(text, told): (&LabelledText, &Told)| {
            let truth = labels.binary_search(&text.label).unwrap_or(labels.len());
            Judgement { truth: truth as u16, told: told.label, confidence: told.confidence }
        };
        let judgements = texts.iter().zip(&told).map(judge).collect();
        let admitted = told.iter().map(|told| told.is_admitted).collect();
        Ok(Tested { measured: Measured::of(judgements, labels), admitted })
    }
}

impl Measured {
    fn of(judgements: Vec<Judgement>, labels: &[String]) -> Self {
        Self { quality: Quality::of(&judgements), judgements, known: labels.len() }
    }
}
