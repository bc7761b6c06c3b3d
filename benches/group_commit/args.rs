//! What is to be run, from the command line.

use std::path::PathBuf;

/// The options of a run.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    /// How many turns wait at a time.
    pub(crate) waiting: Vec<usize>,
    /// How long each side is driven in a round.
    pub(crate) seconds: f64,
    pub(crate) rounds: usize,
    /// Whether full segments are sealed meanwhile, as they are in an engine.
    pub(crate) is_sealing: bool,
    /// Where the journal is kept, in a folder that is removed afterwards.
    pub(crate) folder: PathBuf,
}

const USAGE: &str = "options: --waiting 1,8,64,512  --seconds 2  --rounds 5  --unsealed (full segments stay as they are)  --folder DIR  --test (everything small: does it run?)";

impl Args {
    /// The options of this call; ends the program with a hint if they are wrong.
    pub(crate) fn read() -> Self {
        Self::parse(std::env::args().skip(1)).unwrap_or_else(|message| {
            eprintln!("{message}\n{USAGE}");
            std::process::exit(2);
        })
    }

    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let waiting = vec![1, 8, 64, 512];
        let mut args = Self { waiting, seconds: 2.0, rounds: 5, is_sealing: true, folder: std::env::temp_dir() };
        while let Some(word) = words.next() {
            if word == "--test" {
                (args.waiting, args.seconds, args.rounds) = (vec![1, 8], 0.1, 1);
                continue;
            }
            if word == "--unsealed" {
                args.is_sealing = false;
                continue;
            }
            // Cargo adds this one by itself.
            if word == "--bench" {
                continue;
            }
            let value = words.next().ok_or_else(|| format!("`{word}` is not known, or needs a value"))?;
            let wrong = || format!("`{word}` cannot be `{value}`");
            match word.as_str() {
                "--waiting" => {
                    let numbers = value.split(',').map(|number| number.parse().map_err(|_| wrong()));
                    args.waiting = numbers.collect::<Result<_, _>>()?;
                }
                "--seconds" => args.seconds = value.parse().map_err(|_| wrong())?,
                "--rounds" => args.rounds = value.parse().ok().filter(|rounds| *rounds > 0).ok_or_else(wrong)?,
                "--folder" => args.folder = PathBuf::from(value),
                _ => return Err(format!("`{word}` is not known")),
            }
        }
        Ok(args)
    }
}
