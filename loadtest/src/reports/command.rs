//! The commands `report` and `compare`: outcomes from files.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::{Allowance, compare, html, terminal};
use crate::outcome::{FORM, Outcome};

#[derive(Debug, clap::Args)]
pub(crate) struct ReportFile {
    /// What `run --json` has written.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Writes the report as one HTML file with charts, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CompareFiles {
    /// What `run --json` has written, before.
    #[arg(value_name = "A")]
    pub(crate) a: PathBuf,
    /// What `run --json` has written, after.
    #[arg(value_name = "B")]
    pub(crate) b: PathBuf,
    /// Ends with 1 if a figure of B is worse than that of A beyond the noise and by more than this, such as `10%`.
    #[arg(long, value_name = "PERCENT")]
    pub(crate) fail_if_worse: Option<Allowance>,
    /// One JSON object in place of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Tells an outcome of a file again; whether it had passed.
pub(crate) fn report(options: &ReportFile) -> anyhow::Result<bool> {
    report_to(options, &mut io::stdout().lock())
}

/// Compares two files; whether nothing is worse by more than is allowed.
pub(crate) fn compare_files(options: &CompareFiles) -> anyhow::Result<bool> {
    compare_to(options, &mut io::stdout().lock(), &mut io::stderr().lock())
}

fn report_to(options: &ReportFile, out: &mut impl Write) -> anyhow::Result<bool> {
    let outcome = read(&options.file)?;
    writeln!(out, "{}", terminal(&outcome))?;
    if let Some(file) = &options.html {
        fs::write(file, html(&outcome)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(outcome.has_passed())
}

fn compare_to(options: &CompareFiles, out: &mut impl Write, complaints: &mut impl Write) -> anyhow::Result<bool> {
    let comparison = compare(&read(&options.a)?, &read(&options.b)?);
    if options.json {
        writeln!(out, "{:#}", comparison.json())?;
    } else {
        write!(out, "{}", comparison.text())?;
    }
    let worse = options.fail_if_worse.map(|allowance| comparison.worse_than(allowance)).unwrap_or_default();
    for sentence in &worse {
        writeln!(complaints, "failed: {sentence}")?;
    }
    Ok(worse.is_empty())
}

/// Reads what `run --json` has written.
pub(crate) fn read(file: &Path) -> anyhow::Result<Outcome> {
    /// What every form of the file has.
    #[derive(Deserialize)]
    struct Formed {
        form: u32,
    }
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let no_outcome = || format!("{} is not what `run --json` writes", file.display());
    let Formed { form } = serde_json::from_str(&text).with_context(no_outcome)?;
    if form != FORM {
        bail!(
            "{} has form {form}, and this command reads form {FORM}: take the version that has written it",
            file.display()
        );
    }
    serde_json::from_str(&text).with_context(no_outcome)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::sample;

    #[test]
    fn what_is_written_is_read_and_told_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        let outcome = sample::outcome(2);
        fs::write(&file, serde_json::to_string(&outcome).unwrap()).unwrap();
        assert_eq!(terminal(&read(&file).unwrap()), terminal(&outcome));
        let page = folder.path().join("a.html");
        let mut told = Vec::new();
        assert!(report_to(&ReportFile { file: file.clone(), html: Some(page.clone()) }, &mut told).unwrap());
        assert_eq!(String::from_utf8(told).unwrap(), terminal(&outcome) + "\n");
        assert_eq!(fs::read_to_string(page).unwrap(), html(&outcome));
        let same = CompareFiles { a: file.clone(), b: file, fail_if_worse: Some("0%".parse().unwrap()), json: true };
        let (mut told, mut complaints) = (Vec::new(), Vec::new());
        assert!(compare_to(&same, &mut told, &mut complaints).unwrap());
        let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
        assert!(told["verdict"].as_str().unwrap().starts_with("no difference beyond the noise"), "{told}");
        assert!(complaints.is_empty());
    }

    #[test]
    fn what_is_worse_than_allowed_is_told_by_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, slower: f64| {
            let plan = sample::Plan { seconds: 10, rate: 200, slower, ..sample::Plan::USUAL };
            let file = folder.path().join(name);
            fs::write(&file, serde_json::to_string(&plan.runs(4)).unwrap()).unwrap();
            file
        };
        let (a, b) = (write("a.json", 1.0), write("b.json", 1.5));
        let options = |percent: &str| CompareFiles {
            a: a.clone(),
            b: b.clone(),
            fail_if_worse: Some(percent.parse().unwrap()),
            json: false,
        };
        let complaints = |percent: &str| {
            let mut complaints = Vec::new();
            let held = compare_to(&options(percent), &mut io::sink(), &mut complaints).unwrap();
            assert_eq!(held, complaints.is_empty());
            String::from_utf8(complaints).unwrap()
        };
        assert!(
            complaints("10%").contains("failed: latency p50 is worse by more than 10 %: 1.5"),
            "{}",
            complaints("10%")
        );
        assert_eq!(complaints("80%"), "");
    }

    #[test]
    fn another_file_is_told_from_an_outcome() {
        let folder = tempfile::tempdir().unwrap();
        let fault = |text: &str| {
            let file = folder.path().join("x.json");
            fs::write(&file, text).unwrap();
            format!("{:#}", read(&file).unwrap_err()).replace(&file.display().to_string(), "x.json")
        };
        assert!(fault("hello").starts_with("x.json is not what `run --json` writes: expected value at line 1"));
        assert!(fault("{\"form\":1}").starts_with("x.json is not what `run --json` writes: missing field `scenario`"));
        assert!(fault("{\"form\":7}").starts_with("x.json has form 7, and this command reads form 1"));
        assert!(format!("{:#}", read(&folder.path().join("none")).unwrap_err()).starts_with("cannot read "));
    }
}
