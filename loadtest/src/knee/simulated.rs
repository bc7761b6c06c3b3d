//! The search on servers whose knee is known: virtual time, seeded chance.

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1};
use rand_pcg::Pcg64Mcg;

use super::*;

/// What a trial at a rate comes to.
trait Server {
    fn holds(&mut self, rate: f64) -> bool;
}

/// One server with a queue, a fixed time for each call and stalls of the machine: M/D/1 with breaks.
struct Queue {
    random: Pcg64Mcg,
    calls: usize,
    service_s: f64,
    /// How many a second, and how long each.
    stalls: (f64, f64),
    p99_max_s: f64,
}

impl Server for Queue {
    fn holds(&mut self, rate: f64) -> bool {
        let (mut now, mut free) = (0.0_f64, 0.0_f64);
        let mut next_stall = self.gap(self.stalls.0);
        let mut latencies = Vec::with_capacity(self.calls);
        for _ in 0..self.calls {
            now += self.gap(rate);
            while next_stall < now {
                free = free.max(next_stall) + self.stalls.1;
                next_stall += self.gap(self.stalls.0);
            }
            free = free.max(now) + self.service_s;
            latencies.push(free - now);
        }
        let at = latencies.len() * 99 / 100;
        let (_, p99, _) = latencies.select_nth_unstable_by(at, f64::total_cmp);
        *p99 <= self.p99_max_s
    }
}

impl Queue {
    fn gap(&mut self, rate: f64) -> f64 {
        let gap: f64 = Exp1.sample(&mut self.random);
        gap / rate
    }
}

/// A server whose trials hold with a known probability: a logistic in the rate's logarithm, and stray misses.
struct Curve {
    random: Pcg64Mcg,
    place: f64,
    scale: f64,
    stray: f64,
}

impl Server for Curve {
    fn holds(&mut self, rate: f64) -> bool {
        let below = 1.0 / (1.0 + ((rate / self.place).ln() / self.scale).exp());
        self.random.random::<f64>() < (1.0 - self.stray) * below
    }
}

impl Curve {
    fn knee(&self) -> f64 {
        let half = 0.5 / (1.0 - self.stray);
        self.place * (-self.scale * (half / (1.0 - half)).ln()).exp()
    }
}

fn heard(verdict: Verdict) -> Heard {
    Heard { verdict, answered_per_second: 0.0, p99_us: 0.0, late: 0, lost: 0 }
}

fn verdict(has_held: bool) -> Verdict {
    if has_held { Verdict::Held } else { Verdict::Missed(vec!["p99".to_owned()]) }
}

fn search(config: Config, mut verdict: impl FnMut(f64) -> Verdict) -> Finding {
    let mut search = Search::new(config);
    while let Some(trial) = search.next() {
        assert_eq!(search.next(), Some(trial), "the same one until it was heard of");
        search.heard(heard(verdict(trial.rate)));
        assert!(trial.nth <= config.trials_max);
    }
    search.finding()
}

fn config() -> Config {
    Config { lowest: 100.0, highest: 50_000.0, ..Config::default() }
}

/// How many of many searches have the knee in their interval, as a share.
fn covered(searches: u64, knee: f64, mut server: impl FnMut(u64) -> Box<dyn Server>) -> f64 {
    let near = Config { lowest: 2_000.0, highest: 30_000.0, start: 2_500.0, ..Config::default() };
    let mut covered = 0;
    for seed in 0..searches {
        let mut server = server(seed);
        let finding = search(near, |rate| verdict(server.holds(rate)));
        let Knee::Between { estimate, low, high } = finding.knee else { panic!("{:?}", finding.knee) };
        assert!(low <= estimate && estimate <= high);
        covered += usize::from((low..=high).contains(&knee));
        if let (Some(holds), Some(fails)) = (finding.holds_at, finding.fails_at) {
            assert!(holds.share.of >= 5 && fails.share.of >= 5 && holds.share.low > 0.5 && fails.share.high < 0.5);
        }
    }
    covered as f64 / searches as f64
}

#[test]
fn the_interval_has_the_knee_about_as_often_as_it_says() {
    for (scale, stray) in [(0.005, 0.0), (0.02, 0.05), (0.06, 0.1), (0.1, 0.02)] {
        let curve = |seed| Curve { random: Pcg64Mcg::seed_from_u64(seed), place: 7_300.0, scale, stray };
        let share = covered(30, curve(0).knee(), |seed| Box::new(curve(seed)));
        assert!(share >= 0.86, "scale {scale}, stray {stray}: {share}");
    }
}

#[test]
fn the_interval_has_the_knee_of_a_queue_with_stalls() {
    let queue = |seed| Queue {
        random: Pcg64Mcg::seed_from_u64(seed),
        calls: 2_000,
        service_s: 1e-4,
        stalls: (0.5, 0.01),
        p99_max_s: 2e-3,
    };
    // The knee itself, by brute force: where half of many trials hold.
    let (mut low, mut high) = (5_000.0_f64, 10_000.0_f64);
    let mut judge = queue(99_999);
    for _ in 0..6 {
        let middle = (low * high).sqrt();
        let held = (0..200).filter(|_| judge.holds(middle)).count();
        *(if held >= 100 { &mut low } else { &mut high }) = middle;
    }
    let share = covered(30, (low * high).sqrt(), |seed| Box::new(queue(seed)));
    assert!(share >= 0.84, "the knee is at {low:.0} to {high:.0}: {share}");
}

#[test]
fn a_clean_cliff_is_found_with_few_trials() {
    for knee in [137.0, 1_000.0, 4_321.0, 48_000.0] {
        let finding = search(config(), |rate| verdict(rate <= knee));
        let Knee::Between { low, high, .. } = finding.knee else { panic!("{knee}: {:?}", finding.knee) };
        assert!(low <= knee && knee <= high && high / low < 1.11, "{knee}: {low} to {high}: {:?}", finding.rates);
        assert!(finding.is_settled && finding.trials.len() <= 40, "{knee}: {}", finding.sentences());
        let (holds, fails) = (finding.holds_at.unwrap(), finding.fails_at.unwrap());
        assert!(holds.rate <= knee && knee < fails.rate && fails.rate / holds.rate < 1.2, "{}", finding.sentences());
    }
}

#[test]
fn trials_near_the_knee_take_turns() {
    let finding = search(config(), |rate| verdict(rate <= 4_321.0));
    let rates: Vec<f64> = finding.trials.iter().map(|(rate, _)| *rate).collect();
    let last = &rates[rates.len() - 6..];
    assert!(last.windows(2).any(|pair| pair[0] != pair[1]), "{rates:?}");
}

#[test]
fn what_holds_everywhere_or_nowhere_is_said_so() {
    let everywhere = search(config(), |_| Verdict::Held);
    assert_eq!(everywhere.knee, Knee::Beyond { rate: 50_000.0, driver: None });
    assert!(everywhere.is_settled && everywhere.trials.len() < 15, "{}", everywhere.trials.len());
    let nowhere = search(config(), |_| verdict(false));
    assert_eq!(nowhere.knee, Knee::Nowhere { lowest: 100.0 });
    assert!(nowhere.is_settled && nowhere.trials.len() < 20, "{}", nowhere.trials.len());
    assert!(nowhere.sentences().contains("not even at 100/s"), "{}", nowhere.sentences());
}

#[test]
fn a_driver_that_gives_no_more_is_not_held_against_the_engine() {
    let bound =
        |limit: f64| move |rate| if rate > limit { Verdict::DriverBound("its lag".to_owned()) } else { Verdict::Held };
    let finding = search(config(), bound(6_000.0));
    let Knee::Beyond { rate, driver: Some(why) } = &finding.knee else { panic!("{:?}", finding.knee) };
    assert!((5_600.0..=6_000.0).contains(rate) && why == "its lag", "{rate}");
    assert!(finding.rates.iter().all(|at| at.share.held == at.share.of), "no trial counts as missed");
    assert!(
        finding.trials.len() < 40 && finding.sentences().contains("driver gives no more"),
        "{}",
        finding.sentences()
    );
    let finding = search(config(), bound(1.0));
    assert_eq!(finding.knee, Knee::Unknown { driver: "its lag".to_owned() });
    // A knee below the driver's limit is found all the same.
    let finding = search(config(), |rate| match bound(6_000.0)(rate) {
        Verdict::Held => verdict(rate < 2_000.0),
        other => other,
    });
    let Knee::Between { low, high, .. } = finding.knee else { panic!("{:?}", finding.knee) };
    assert!(low <= 2_000.0 && 2_000.0 <= high && finding.is_settled);
}

#[test]
fn chance_alone_ends_too_and_says_that_it_is_not_sure() {
    let mut random = Pcg64Mcg::seed_from_u64(5);
    let finding = search(config(), |_| verdict(random.random::<f64>() < 0.5));
    assert!(finding.trials.len() <= 60);
    assert!(!finding.is_settled && finding.sentences().contains("not enough"), "{}", finding.sentences());
}

#[test]
fn is_read_again_from_json_and_printed() {
    let finding = search(config(), |rate| verdict(rate <= 4_321.0));
    let read: Finding = serde_json::from_str(&serde_json::to_string(&finding).unwrap()).unwrap();
    assert_eq!(read.trials.len(), finding.trials.len());
    let mut printed = Vec::new();
    finding.print(&mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    assert!(printed.contains("The knee is at 4,") && printed.contains("It holds at 4,"), "{printed}");
    assert_eq!(
        printed.lines().filter(|line| line.starts_with("| ")).count(),
        2 + finding.rates.len() + finding.trials.len()
    );
}
