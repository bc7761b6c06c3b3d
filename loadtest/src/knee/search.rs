//! Which rate comes next.
//!
//! First the rate is doubled, or halved, until there is one that holds and one that does not. Then trials go in turns to rates below, at and
//! above the middle of what is believed, until the interval is as narrow as was asked for. In the end the rate right below the interval and the
//! one right above it are tried in turns until each has held, or missed, surely more often than not.

use super::belief::{Belief, Interval};
use super::finding::{AtRate, Finding, Knee};
use super::ladder::Ladder;
use super::share::Share;
use super::verdict::{Heard, Verdict};

/// Misses in a row that end the doubling: one may be bad luck.
const MISSES_TO_TURN: u32 = 2;
/// Trials at one rate in which the driver was too slow that end all trials at it and above, if they are most of them: a stall of the machine
/// makes a driver slow, too.
const DRIVER_BOUND_MAX: u32 = 3;
/// Times the repetitions, after which a rate that is neither holding nor missing is left for the next one.
const PATIENCE: u32 = 3;

/// What is searched for, and with how much effort.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    /// Calls a second of the first trial.
    pub(crate) start: f64,
    /// The lowest rate that is tried.
    pub(crate) lowest: f64,
    /// The highest rate that is tried.
    pub(crate) highest: f64,
    /// The distance of neighbouring rates, as a share of them; the interval is searched to be this wide on either side.
    pub(crate) precision: f64,
    /// How often a rate beside the knee is tried at least.
    pub(crate) repeats: u32,
    /// Trials after which it ends, however sure it is.
    pub(crate) trials_max: u32,
    /// The probability that the knee is in the interval.
    pub(crate) sureness: f64,
}

impl Default for Config {
    /// Five of five trials are surely more than half of them (Wilson's interval begins at 0.57), four of four would not be told from luck.
    /// Sixty trials of ten seconds are ten minutes.
    fn default() -> Self {
        Self {
            start: 1_000.0,
            lowest: 10.0,
            highest: 1_000_000.0,
            precision: 0.05,
            repeats: 5,
            trials_max: 60,
            sureness: 0.95,
        }
    }
}

/// A run that is to be made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Trial {
    /// Its number, from 1.
    pub(crate) nth: u32,
    /// Calls a second.
    pub(crate) rate: f64,
}

/// A search under way.
#[derive(Debug)]
pub(crate) struct Search {
    config: Config,
    ladder: Ladder,
    belief: Belief,
    stage: Stage,
    /// How many steps may be tried: fewer than the ladder has where the driver gives no more.
    open: usize,
    /// Why they are fewer.
    driver_bound: Option<String>,
    /// By step of the ladder.
    tried: Vec<Tried>,
    /// In their order: the rate and what was heard.
    trials: Vec<(f64, Heard)>,
    /// The step of the trial that nothing was heard of yet.
    under_way: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Doubling or halving: the step that is next, those that held and missed.
    Bracketing { at: usize, held: Option<usize>, missed: Option<usize> },
    /// Narrowing the interval and trying its ends; how many trials of it were made.
    Narrowing(usize),
}

/// What was heard at one step.
#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    held: u32,
    missed: u32,
    driver_bound: u32,
}

impl Tried {
    fn share(self) -> Share {
        Share::new(self.held, self.held + self.missed)
    }
}

impl Search {
    pub(crate) fn new(config: Config) -> Self {
        let ratio = 1.0 + config.precision;
        let ladder = Ladder::new(config.lowest, config.highest.max(config.lowest), ratio);
        let belief = Belief::new(&ladder, ratio);
        let stage = Stage::Bracketing { at: ladder.at_most(config.start), held: None, missed: None };
        let tried = vec![Tried::default(); ladder.top() + 1];
        let (open, driver_bound, trials, under_way) = (ladder.top() + 1, None, Vec::new(), None);
        Self { config, ladder, belief, stage, open, driver_bound, tried, trials, under_way }
    }

    /// The next trial; none when the search has ended. The same one until something was heard of it.
    pub(crate) fn next(&mut self) -> Option<Trial> {
        let is_over = self.open == 0 || self.trials.len() >= self.config.trials_max as usize;
        if self.under_way.is_none() && !is_over {
            self.under_way = match self.stage {
                Stage::Bracketing { at, .. } => Some(at.min(self.ceiling())),
                Stage::Narrowing(turn) => self.narrowing(turn),
            };
        }
        let nth = u32::try_from(self.trials.len()).unwrap_or(u32::MAX) + 1;
        self.under_way.map(|step| Trial { nth, rate: self.ladder.rate(step) })
    }

    /// Hears what became of the trial that was last given. Without one there is nothing to hear.
    pub(crate) fn heard(&mut self, heard: Heard) {
        let Some(step) = self.under_way.take() else { return };
        let rate = self.ladder.rate(step);
        let tried = &mut self.tried[step];
        match &heard.verdict {
            Verdict::Held => tried.held += 1,
            Verdict::Missed(_) => tried.missed += 1,
            Verdict::DriverBound(why) => {
                tried.driver_bound += 1;
                let is_most = tried.driver_bound > tried.held + tried.missed;
                if tried.driver_bound >= DRIVER_BOUND_MAX && is_most && step < self.open {
                    self.open = step;
                    self.driver_bound = Some(why.clone());
                }
            }
        }
        let has_held = match heard.verdict {
            Verdict::Held => Some(true),
            Verdict::Missed(_) => Some(false),
            Verdict::DriverBound(_) => None,
        };
        if let Some(has_held) = has_held {
            self.belief.hear(rate, has_held);
        }
        self.trials.push((rate, heard));
        self.stage = match self.stage {
            Stage::Bracketing { at, held, missed } => self.bracketed(at, held, missed, has_held),
            Stage::Narrowing(turn) => Stage::Narrowing(turn + 1),
        };
    }

    /// What the search has come to.
    pub(crate) fn finding(&self) -> Finding {
        let interval = self.interval();
        let steps = self.tried.iter().enumerate().filter(|(_, tried)| tried.share().of > 0);
        let rates: Vec<AtRate> =
            steps.map(|(step, tried)| AtRate { rate: self.ladder.rate(step), share: tried.share() }).collect();
        let is_tried = |at: &&AtRate| at.share.of >= self.config.repeats;
        let [estimate] = self.belief.quantiles([0.5]);
        let knee = if let (0, Some(why)) = (self.open, &self.driver_bound) {
            Knee::Unknown { driver: why.clone() }
        } else if self.is_nowhere() {
            Knee::Nowhere { lowest: self.ladder.rate(0) }
        } else if self.is_beyond() {
            Knee::Beyond { rate: self.ladder.rate(self.ceiling()), driver: self.driver_bound.clone() }
        } else {
            Knee::Between { estimate, low: interval.low, high: interval.high }
        };
        let is_settled = match knee {
            Knee::Between { .. } => self.is_narrow() && self.next_side(0).is_none(),
            _ => true,
        };
        Finding {
            knee,
            sureness: self.config.sureness,
            is_settled,
            holds_at: rates.iter().filter(is_tried).rfind(|at| at.share.is_mostly()).copied(),
            fails_at: rates.iter().filter(is_tried).find(|at| at.share.is_rarely()).copied(),
            driver_bound: self.driver_bound.clone(),
            rates,
            trials: self.trials.clone(),
        }
    }

    /// The stage after a trial of the doubling.
    fn bracketed(&self, at: usize, held: Option<usize>, missed: Option<usize>, has_held: Option<bool>) -> Stage {
        let doubling = (2_f64.ln() / (1.0 + self.config.precision).ln()).round().max(1.0) as usize;
        let stay = Stage::Bracketing { at, held, missed };
        let down = |missed| Stage::Bracketing { at: at.saturating_sub(doubling), held, missed };
        match has_held {
            Some(true) if missed.is_some() || at >= self.ceiling() => Stage::Narrowing(0),
            Some(true) => Stage::Bracketing { at: (at + doubling).min(self.ceiling()), held: Some(at), missed },
            Some(false) if self.tried[at].missed < MISSES_TO_TURN => stay,
            Some(false) if held.is_some() || at == 0 => Stage::Narrowing(0),
            Some(false) => down(Some(at)),
            None if at < self.open => stay,
            // The driver gives no more than this: what is below it is searched.
            None if held.is_some() => Stage::Narrowing(0),
            None => down(missed),
        }
    }

    /// The step of the next trial of the second part; none when there is nothing more to learn.
    fn narrowing(&self, turn: usize) -> Option<usize> {
        if self.is_nowhere() || self.is_beyond() {
            return None;
        }
        if self.is_narrow() {
            return self.next_side(turn);
        }
        let [low, middle, high] = self.belief.quantiles([0.25, 0.5, 0.75]);
        let wanted = [
            self.ladder.at_most(low),
            self.ladder.at_least(high),
            self.ladder.at_most(middle),
            self.ladder.at_least(middle),
        ];
        let steps = (turn..turn + wanted.len()).map(|turn| self.permitted(wanted[turn % wanted.len()]));
        steps.into_iter().find(|step| !self.is_worn(*step))
    }

    /// A step that may be tried in place of one that is wanted: above the ceiling of a driver, the middle between it and what is known to hold.
    fn permitted(&self, wanted: usize) -> usize {
        if wanted < self.open || self.driver_bound.is_none() {
            return wanted.min(self.ceiling());
        }
        let held = self.tried[..self.open].iter().rposition(|tried| tried.held > 0).unwrap_or_default();
        (held + self.ceiling()).div_ceil(2)
    }

    /// Whether it is at an edge, beyond which nothing may be tried, so often that more of the same says no more.
    fn is_worn(&self, step: usize) -> bool {
        let is_edge = step == 0 || step == self.ceiling();
        is_edge && self.tried[step].share().of >= PATIENCE * self.config.repeats
    }

    /// The side of the interval that is not sure yet, in turns.
    fn next_side(&self, turn: usize) -> Option<usize> {
        let sides = [self.below(), self.above()];
        sides[turn % 2].or(sides[(turn + 1) % 2])
    }

    /// The step below the interval that has to be tried again; none when one holds surely.
    fn below(&self) -> Option<usize> {
        let first = self.ladder.at_most(self.interval().low).min(self.ceiling());
        for step in (0..=first).rev() {
            let share = self.tried[step].share();
            if share.of >= self.config.repeats && share.is_mostly() {
                return None;
            }
            if share.of < PATIENCE * self.config.repeats {
                return Some(step);
            }
        }
        None
    }

    /// The step above the interval that has to be tried again; none when one fails surely, or none may be tried.
    fn above(&self) -> Option<usize> {
        let high = self.interval().high;
        let first = self.ladder.at_least(high);
        for step in first..self.open {
            let share = self.tried[step].share();
            if share.of >= self.config.repeats && share.is_rarely() {
                return None;
            }
            if share.of < PATIENCE * self.config.repeats {
                return Some(step);
            }
        }
        None
    }

    fn interval(&self) -> Interval {
        self.belief.interval(self.config.sureness)
    }

    fn is_narrow(&self) -> bool {
        let Interval { low, high } = self.interval();
        high / low <= (1.0 + self.config.precision).powi(2)
    }

    /// Whether surely not even the lowest rate holds.
    fn is_nowhere(&self) -> bool {
        let is_tried = self.tried[0].share().of >= self.config.repeats;
        is_tried && self.belief.above(self.ladder.rate(0)) < 1.0 - self.config.sureness
    }

    /// Whether surely even the highest rate that may be tried holds.
    fn is_beyond(&self) -> bool {
        let at = self.ceiling();
        let is_tried = self.open > 0 && self.tried[at].share().of >= self.config.repeats;
        is_tried && self.belief.above(self.ladder.rate(at)) > self.config.sureness
    }

    /// The highest step that may be tried.
    fn ceiling(&self) -> usize {
        self.open.saturating_sub(1)
    }
}
