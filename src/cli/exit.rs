//! Exit codes.

use std::process::ExitCode;

/// What a command came to, as scripts read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Everything was done.
    Done,
    /// It could not be done: a fault in the configuration, the data or the system.
    Failed,
    /// Done, but some lines of the input were bad.
    BadLines,
    /// Some cases failed, or too few rules were covered.
    CasesFailed,
    /// What was asked for does not exist.
    NotFound,
    /// Damage was found and not repaired.
    Damaged,
    /// The command itself was wrong.
    Usage,
}

/// The codes as `--help` documents them.
pub(super) const DOCUMENTED: &str = "\
Exit codes:
  0   done
  1   failed: a fault in the configuration, the data directory or the system; a finding that is denied (`check`); cells that do
      not translate (`import`, `export`); a turn that came out otherwise (`replay`), or would
      (`backtest --fail-on-change`); something that does not hold (`verify`, `selfcheck`)
  2   done, but some lines of the input were bad (`decide`), some cases failed or too few rules were covered (`test`), or rows
      were left out (`import`)
  3   there is no such decision or rule (`explain`, `verify`, `packet`), there are no cases to run (`test`)
  4   damage was found and nothing was changed (`repair`)
  64  the command line is wrong
  130 stopped at once by a second Ctrl-C or SIGTERM (`serve`)";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::BadLines | Exit::CasesFailed => 2,
            Exit::NotFound => 3,
            Exit::Damaged => 4,
            Exit::Usage => 64,
        })
    }
}
