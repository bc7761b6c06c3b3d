//! What is to be run, from the command line.

use std::path::PathBuf;

/// The options of a run.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) customers: u64,
    pub(crate) records: u64,
    /// Bytes of states that recovery keeps in memory.
    pub(crate) bytes: Option<u64>,
    /// Where the data directory is made, in a folder that is removed afterwards.
    pub(crate) folder: PathBuf,
}

const USAGE: &str = "options: --customers 100000  --records 1000000  --recovery-mb 1024  --folder DIR  --test (everything small: does it \
                     run?)";

impl Args {
    /// The options of this call; ends the program with a hint if they are wrong.
    pub(crate) fn read() -> Self {
        Self::parse(std::env::args().skip(1)).unwrap_or_else(|message| {
            eprintln!("{message}\n{USAGE}");
            std::process::exit(2);
        })
    }

    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = Self { customers: 100_000, records: 1_000_000, bytes: None, folder: std::env::temp_dir() };
        while let Some(word) = words.next() {
            if word == "--test" {
                (args.customers, args.records) = (500, 30_000);
                continue;
            }
            // Cargo adds this one by itself.
            if word == "--bench" {
                continue;
            }
            let value = words.next().ok_or_else(|| format!("`{word}` is not known, or needs a value"))?;
            let number = || value.parse::<u64>().ok().filter(|number| *number > 0);
            let wrong = || format!("`{word}` cannot be `{value}`");
            match word.as_str() {
                "--customers" => args.customers = number().ok_or_else(wrong)?,
                "--records" => args.records = number().ok_or_else(wrong)?,
                "--recovery-mb" => args.bytes = Some(number().ok_or_else(wrong)? << 20),
                "--folder" => args.folder = PathBuf::from(value),
                _ => return Err(format!("`{word}` is not known")),
            }
        }
        Ok(args)
    }
}
