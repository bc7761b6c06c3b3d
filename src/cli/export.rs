//! `forthwith export`: a CSV table of ours for the tools of others.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::ValueEnum;

use super::args::Place;
use super::exit::Exit;
use super::output::{grouped, tell};
use super::table_file::{Stop, read_bounded, write_output};
use crate::config::Config;
use crate::domain::Type;
use crate::interchange::{
    Aggregation, HitPolicy, Kind, OurTable, Ranked, rank_outputs, read_csv, write_dmn, write_jdm,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  forthwith export config/tables/ticket_routing.csv --format dmn --playbook ticket_routing --output routing.dmn
  forthwith export tier.csv --format dmn --hit-policy priority --output-values \"tier=gold, silver\"
  forthwith export tier.csv --format jdm > tier.json

With --playbook the columns have the types that it declares. Without, cells are taken as they are written: 10 is a number,
true a truth value, 2h a duration, 2026-01-01T00:00:00Z a point in time, anything else and everything in quotes a text.
Each cell that the other format cannot say is listed with the reason, and nothing is written.";

/// Options of `export`.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The CSV table
    pub(super) table: PathBuf,

    /// The format to write
    #[arg(long, value_name = "FORMAT")]
    pub(super) format: Target,

    /// The hit policy that the playbook gives the table
    #[arg(long, value_name = "POLICY", default_value = "first", value_parser = hit_policy)]
    pub(super) hit_policy: HitPolicy,

    /// The aggregation that the playbook gives the table, with the hit policy `collect`: sum, min, max or count
    #[arg(long, value_name = "AGGREGATION", value_parser = aggregation)]
    pub(super) aggregation: Option<Aggregation>,

    /// The values of a field, the most important first, for the hit policies `priority` and `output_order`
    #[arg(long, value_name = "FIELD=VALUES")]
    pub(super) output_values: Vec<Ranked>,

    /// The playbook of the configuration folder that declares the columns' types
    #[arg(long, value_name = "NAME")]
    pub(super) playbook: Option<String>,

    /// Where the file goes [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Write over the output file if it exists
    #[arg(long, requires = "output")]
    pub(super) force: bool,
}

/// A format to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Target {
    /// Decision Model and Notation, 1.3 (XML)
    Dmn,
    /// A decision graph of GoRules (JSON)
    Jdm,
}

fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str, text: &str) -> Result<T, String> {
    let known = || all.iter().map(|one| format!("`{}`", name(*one))).collect::<Vec<_>>().join(", ");
    all.iter().copied().find(|one| name(*one) == text).ok_or_else(|| format!("expected one of {}", known()))
}

fn hit_policy(text: &str) -> Result<HitPolicy, String> {
    named(&HitPolicy::ALL, HitPolicy::name, text)
}

fn aggregation(text: &str) -> Result<Aggregation, String> {
    named(&Aggregation::ALL, Aggregation::name, text)
}

pub(super) fn run(place: &Place, args: &Export) -> Exit {
    match export(place, args) {
        Ok(()) => Exit::Done,
        Err(stop) => stop.told(&args.table),
    }
}

fn export(place: &Place, args: &Export) -> Result<(), Stop> {
    if args.aggregation.is_some() && args.hit_policy != HitPolicy::Collect {
        return Err(Stop::Usage("`--aggregation` goes with `--hit-policy collect` only".to_owned()));
    }
    let bytes = read_bounded(&args.table).map_err(Stop::Because)?;
    let file = args.table.display();
    let csv = String::from_utf8(bytes).map_err(|e| Stop::Because(format!("`{file}` is not UTF-8: {e}")))?;
    let kinds = match &args.playbook {
        Some(playbook) => declared(place, playbook).map_err(Stop::Because)?,
        None => BTreeMap::new(),
    };
    let stem = args.table.file_stem().map_or_else(|| "table".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let table =
        OurTable { name: &stem, csv: &csv, hit_policy: args.hit_policy, aggregation: args.aggregation, kinds: &kinds };
    let mut sheet = read_csv(&table).map_err(Stop::Faults)?;
    rank_outputs(&mut sheet, &args.output_values).map_err(Stop::Faults)?;
    let written = match args.format {
        Target::Dmn => write_dmn(&sheet),
        Target::Jdm => write_jdm(&sheet),
    };
    let written = written.map_err(Stop::Faults)?;
    write_output(args.output.as_deref(), args.force, &written).map_err(Stop::Because)?;
    let to = args.output.as_ref().map_or_else(|| "standard output".to_owned(), |file| format!("`{}`", file.display()));
    tell(format!("{} rows of table `{stem}` are written to {to}", grouped(sheet.rows.len() as u64)));
    Ok(())
}

/// What the columns of a playbook's tables are, by their headers.
fn declared(place: &Place, playbook: &str) -> Result<BTreeMap<String, Kind>, String> {
    let config = Config::load(&place.config).map_err(|faults| faults.to_string())?;
    let bundle = &config.engine.bundle;
    let number = bundle
        .playbook_number(playbook)
        .ok_or_else(|| format!("there is no playbook `{playbook}`{}", bundle.suggest_playbook(playbook)))?;
    let playbook = &bundle.playbooks()[number];
    let inputs = playbook.scope.slots().map(|slot| {
        let declared = playbook.scope.declared(slot);
        (format!("in:{}", declared.path), kind(&declared.ty))
    });
    let outputs = playbook.outcome.fields().iter().map(|field| (format!("out:{}", field.name), kind(&field.ty)));
    Ok(inputs.chain(outputs).collect())
}

fn kind(ty: &Type) -> Kind {
    match ty {
        Type::Bool => Kind::Bool,
        Type::Int | Type::Decimal => Kind::Number,
        Type::Text | Type::OneOf(_) => Kind::Text,
        Type::Time => Kind::Time,
        Type::Duration => Kind::Duration,
        Type::List(_) => Kind::List,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_have_the_names_of_playbooks() {
        assert_eq!(hit_policy("output_order"), Ok(HitPolicy::OutputOrder));
        assert_eq!(aggregation("sum"), Ok(Aggregation::Sum));
        assert_eq!(aggregation("avg").unwrap_err(), "expected one of `sum`, `min`, `max`, `count`");
    }
}
