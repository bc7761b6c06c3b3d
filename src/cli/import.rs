//! `forthwith import`: a decision table of another maker becomes a CSV table of ours.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::exit::Exit;
use super::output::{grouped, tell};
use super::table_file::{Stop, read_bounded, tell_faults, write_output};
use crate::interchange::{
    Fault, Model, Naming, Sheet, Untranslatable, Workbook, Written, Zone, playbook_lines, read_dmn, read_jdm, write_csv,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  forthwith import discount.dmn --map \"Customer Plan=customer.plan\" --map \"Order Size=event.amount\" \\
      --output config/tables/discount.csv
  forthwith import pricing.json --format jdm --table \"Tier\" --skip-untranslated > config/tables/tier.csv
  forthwith import routing.xlsx --table Rules --zone Z --output config/tables/routing.csv

An input whose expression is a name of ours already, such as event.amount, needs no --map. Each cell that does not
translate is listed with its text and the reason, and nothing is written; docs/INTERCHANGE.md says what translates.";

/// Options of `import`.
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The file that holds the table
    pub(super) file: PathBuf,

    /// How the file is written [default: by its ending: .dmn or .xml, .json or .jdm, .xlsx]
    #[arg(long, value_name = "FORMAT")]
    pub(super) format: Option<Foreign>,

    /// The table: a decision, a node or a worksheet [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub(super) table: Option<String>,

    /// A column, by its expression or label, and what it is here; `in:` or `out:` before it where both sides have it
    #[arg(long, value_name = "COLUMN=NAME")]
    pub(super) map: Vec<Naming>,

    /// The zone of dates and times that bring none, such as `Z` or `+01:00`; a date is the midnight it begins with
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true)]
    pub(super) zone: Option<Zone>,

    /// Where the CSV table goes [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Write over the output file if it exists
    #[arg(long, requires = "output")]
    pub(super) force: bool,

    /// Leave out rows with cells that do not translate; each is listed, and the exit code is 2
    #[arg(long)]
    pub(super) skip_untranslated: bool,
}

/// How a file from outside is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Foreign {
    /// Decision Model and Notation, 1.1 to 1.5 (XML)
    Dmn,
    /// A decision graph of GoRules (JSON)
    Jdm,
    /// An Excel workbook with the header of a table of ours
    Xlsx,
}

pub(super) fn run(args: &Import) -> Exit {
    match import(args) {
        Ok(exit) => exit,
        Err(stop) => stop.told(&args.file),
    }
}

fn import(args: &Import) -> Result<Exit, Stop> {
    let format = args.format.or_else(|| of_ending(&args.file)).ok_or_else(|| {
        let file = args.file.display();
        Stop::Usage(format!(
            "the ending of `{file}` does not say how it is written: name it with `--format dmn`, `jdm` or `xlsx`"
        ))
    })?;
    let bytes = read_bounded(&args.file).map_err(Stop::Because)?;
    match format {
        Foreign::Xlsx => worksheet(args, bytes),
        Foreign::Dmn => table(args, read_dmn(&utf8(args, bytes)?, args.zone.as_ref())?),
        Foreign::Jdm => table(args, read_jdm(&utf8(args, bytes)?)?),
    }
}

fn of_ending(file: &Path) -> Option<Foreign> {
    match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "dmn" | "xml" => Some(Foreign::Dmn),
        "json" | "jdm" => Some(Foreign::Jdm),
        "xlsx" => Some(Foreign::Xlsx),
        _ => None,
    }
}

fn utf8(args: &Import, bytes: Vec<u8>) -> Result<String, Stop> {
    String::from_utf8(bytes).map_err(|e| Stop::Because(format!("`{}` is not UTF-8: {e}", args.file.display())))
}

/// Chooses the table that is meant.
fn choose<'a>(args: &Import, names: &'a [String]) -> Result<&'a String, Stop> {
    let listed = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let file = args.file.display();
    match (&args.table, names) {
        (_, []) => Err(Stop::Because(format!("`{file}` holds no decision table"))),
        (None, [only]) => Ok(only),
        (None, _) => {
            Err(Stop::Usage(format!("`{file}` holds {} tables, choose one with `--table`: {}", names.len(), listed())))
        }
        (Some(name), _) => names
            .iter()
            .find(|known| *known == name)
            .ok_or_else(|| Stop::Because(format!("`{file}` holds no table `{name}`; it holds {}", listed()))),
    }
}

fn table(args: &Import, Model { tables, remarks }: Model) -> Result<Exit, Stop> {
    let name_of = |table: &Result<Sheet, Vec<Fault>>| match table {
        Ok(sheet) => sheet.name.clone(),
        Err(faults) => faults.first().map(|fault| fault.table.clone()).unwrap_or_default(),
    };
    let names: Vec<String> = tables.iter().map(name_of).collect();
    let chosen = choose(args, &names)?;
    let Some(table) = tables.into_iter().find(|table| name_of(table) == *chosen) else {
        return Err(Stop::Because(format!("there is no table `{chosen}`")));
    };
    let sheet = table.map_err(Stop::Faults)?;
    let untranslatable = if args.skip_untranslated { Untranslatable::LeftOut } else { Untranslatable::Refused };
    let written = write_csv(&sheet, &args.map, untranslatable).map_err(Stop::Faults)?;
    write_output(args.output.as_deref(), args.force, &written.csv).map_err(Stop::Because)?;
    for remark in remarks.iter().chain(&sheet.remarks) {
        tell(format!("note: {remark}"));
    }
    let left_out = told(args, &sheet, &written);
    let PlaybookFile { file, lead } = playbook_file(args, &sheet.name);
    tell(format!("{lead}:\n\n{}", playbook_lines(&sheet, &file, &written.fields)));
    Ok(if left_out { Exit::BadLines } else { Exit::Done })
}

/// Says what was written and what was left out.
fn told(args: &Import, sheet: &Sheet, written: &Written) -> bool {
    let rows = sheet.rows.len();
    let left_out = rows - written.rows;
    if left_out > 0 {
        let what = format!("{} of {} rows are left out", grouped(left_out as u64), grouped(rows as u64));
        tell_faults(&args.file, &written.left_out, &what);
    }
    let to = args.output.as_ref().map_or_else(|| "standard output".to_owned(), |file| format!("`{}`", file.display()));
    tell(format!("{} rows of table `{}` are written to {to}", grouped(written.rows as u64), sheet.name));
    left_out > 0
}

fn worksheet(args: &Import, bytes: Vec<u8>) -> Result<Exit, Stop> {
    if !args.map.is_empty() || args.skip_untranslated {
        let why = "a worksheet has the columns and cells of a table of ours: `--map` and `--skip-untranslated` do not go with it";
        return Err(Stop::Usage(why.to_owned()));
    }
    let mut workbook = Workbook::open(bytes)?;
    let names = workbook.names();
    let name = choose(args, &names)?;
    let csv = workbook.read(name, args.zone.as_ref()).map_err(Stop::Faults)?;
    write_output(args.output.as_deref(), args.force, &csv).map_err(Stop::Because)?;
    let to = args.output.as_ref().map_or_else(|| "standard output".to_owned(), |file| format!("`{}`", file.display()));
    let PlaybookFile { file, lead } = playbook_file(args, name);
    tell(format!("the worksheet `{name}` is written to {to}; {lead}:\n"));
    tell(format!("[[tables]]\nfile = \"{file}\"\n"));
    Ok(Exit::Done)
}

/// How a playbook names a file, and the words before it.
struct PlaybookFile {
    file: String,
    lead: &'static str,
}

/// Tables lie in `tables/` of the configuration folder; a file that does not is to be put there.
fn playbook_file(args: &Import, table: &str) -> PlaybookFile {
    let output = args.output.as_deref();
    let named = output.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let file = named.unwrap_or_else(|| format!("{}.csv", table.chars().map(plain).collect::<String>()));
    let whole = output.and_then(|output| std::path::absolute(output).ok());
    let is_there = whole.as_deref().and_then(Path::parent).is_some_and(|folder| folder.ends_with("tables"));
    let lead = if is_there { "a playbook names it so" } else { "put it into `tables/`, and a playbook names it so" };
    PlaybookFile { file: format!("tables/{file}"), lead }
}
