use rand::SeedableRng;
use rand_distr::{Distribution, Normal};
use rand_pcg::Pcg64Mcg;

use super::*;
use crate::outcome::{Run, Second};
use crate::reports::sample::{self, Plan};

/// Runs whose figures are drawn and not counted from calls, so that there can be many.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    seed: u64,
    runs: usize,
    seconds: u32,
    /// How much longer everything takes.
    slower: f64,
    run_noise: f64,
    second_noise: f64,
    /// How much of its luck a second keeps of the one before.
    memory: f64,
}

impl Drawn {
    const SEVERAL: Self =
        Self { seed: 0, runs: 5, seconds: 0, slower: 1.0, run_noise: 0.05, second_noise: 0.0, memory: 0.0 };
    const ONE: Self =
        Self { seed: 0, runs: 1, seconds: 60, slower: 1.0, run_noise: 0.0, second_noise: 0.1, memory: 0.5 };

    fn outcome(self) -> Outcome {
        let mut outcome = sample::frame();
        let mut random = Pcg64Mcg::seed_from_u64(self.seed);
        let mut normal = || Normal::new(0.0, 1.0).unwrap().sample(&mut random);
        for _ in 0..self.runs {
            let of_run = self.slower * (self.run_noise * normal()).exp();
            let mut run = Run::default();
            run.totals.goodput = 50_000.0 / of_run;
            let mut luck = normal();
            for s in 0..self.seconds {
                luck = self.memory * luck + (1.0 - self.memory.powi(2)).sqrt() * normal();
                let of_second = of_run * (self.second_noise * luck).exp();
                run.seconds.push(Second {
                    at_s: f64::from(s),
                    answered: (50_000.0 / of_second) as u64,
                    p50_us: 200.0 * of_second,
                    ..Second::default()
                });
            }
            outcome.runs.push(run);
        }
        outcome
    }
}

fn found(comparison: &Comparison, name: &str) -> Finding {
    comparison.figures.iter().find(|figure| figure.name == name).unwrap().finding
}

/// In how many of so many comparisons of B with A the finding of a figure was this.
fn often(a: Drawn, b: Drawn, name: &str, finding: Finding, times: u64) -> usize {
    let compared = |nth: u64| {
        let (a, b) = (Drawn { seed: 2 * nth, ..a }, Drawn { seed: 2 * nth + 1, ..b });
        compare(&a.outcome(), &b.outcome())
    };
    (0..times).filter(|nth| found(&compared(*nth), name) == finding).count()
}

#[test]
fn equal_engines_are_called_different_about_as_often_as_is_said() {
    let same = often(Drawn::SEVERAL, Drawn::SEVERAL, "goodput", Finding::Same, 400);
    assert!((368..=392).contains(&same), "95 % of 400 are 380: {same}");
    // One run a side, whose seconds are more or less like the ones before.
    for memory in [0.0, 0.5, 0.8, 0.9] {
        let one = Drawn { memory, ..Drawn::ONE };
        let same = often(one, one, "latency p50", Finding::Same, 400);
        assert!((368..=399).contains(&same), "95 % of 400 are 380: {same} at {memory}");
    }
}

#[test]
fn a_fifth_more_is_found() {
    let slower = |side: Drawn| Drawn { slower: 1.2, ..side };
    assert!(often(Drawn::SEVERAL, slower(Drawn::SEVERAL), "goodput", Finding::Worse, 100) >= 95);
    assert!(often(slower(Drawn::SEVERAL), Drawn::SEVERAL, "goodput", Finding::Better, 100) >= 95);
    assert!(often(Drawn::ONE, slower(Drawn::ONE), "latency p50", Finding::Worse, 100) >= 95);
}

#[test]
fn of_less_than_a_minute_one_run_a_side_is_not_judged() {
    let short = Drawn { seconds: 59, ..Drawn::ONE };
    assert_eq!(often(short, short, "latency p50", Finding::Same, 20), 0);
    assert_eq!(often(Drawn { slower: 2.0, ..short }, short, "latency p50", Finding::Better, 20), 0);
}

#[test]
fn whole_runs_a_fifth_slower_are_worse_in_every_percentile_below_the_luck_of_single_calls() {
    let plan = Plan { seconds: 15, rate: 500, ..Plan::USUAL };
    let slower = Plan { seed: 2, slower: 1.2, ..plan };
    let comparison = compare(&plan.runs(5), &slower.runs(5));
    for name in ["latency p50", "latency p90", "latency p99", "CPU a decision"] {
        assert_eq!(found(&comparison, name), Finding::Worse, "{name}: {}", comparison.text());
    }
    assert_eq!(found(&comparison, "memory, most"), Finding::Same);
    assert!(comparison.warnings.is_empty(), "{:?}", comparison.warnings);
    let allowance = |text: &str| text.parse::<Allowance>().unwrap();
    assert!(
        comparison
            .worse_than(allowance("10%"))
            .iter()
            .any(|line| line.starts_with("latency p50 is worse by more than 10 %: 1.2"))
    );
    assert_eq!(comparison.worse_than(allowance("500 %")), Vec::<String>::new());
}

#[test]
fn the_same_file_twice_has_no_difference() {
    let outcome = sample::outcome(3);
    let comparison = compare(&outcome, &outcome);
    assert!(comparison.line().starts_with("no difference beyond the noise (goodput ± 0.5 %"), "{}", comparison.line());
    assert!(comparison.worse_than("0%".parse().unwrap()).is_empty());
}

#[test]
fn a_comparison_is_told_in_words_and_in_json() {
    let plan = Plan { seconds: 27, rate: 400, ..Plan::USUAL };
    let (a, b) = (plan.runs(3), Plan { seed: 2, slower: 1.3, ..plan }.runs(3));
    let comparison = compare(&a, &b);
    insta::assert_snapshot!("runs", comparison.text());
    let json = comparison.json();
    assert_eq!(json["judged_by"], "runs");
    assert_eq!(json["figures"][1]["name"], "latency p50");
    assert_eq!(json["figures"][1]["finding"], "worse");
    let plan = Plan { seconds: 70, ..plan };
    let one = compare(&plan.runs(1), &Plan { seed: 2, slower: 1.3, ..plan }.runs(1));
    insta::assert_snapshot!("seconds", one.text());
}

#[test]
fn what_else_differs_is_told() {
    let a = sample::outcome(2);
    let mut b = a.clone();
    b.settings.insert("rate".to_owned(), "4000/s".to_owned());
    b.settings.remove("arrivals");
    b.machine.processors = 64;
    b.machine.is_optimized = false;
    b.runs[0].driver.bottleneck = Some("it lagged".to_owned());
    b.runs[1].missed.push("p99".to_owned());
    insta::assert_snapshot!(compare(&a, &b).warnings.join("\n"));
}

#[test]
fn too_little_is_not_judged() {
    let plan = Plan { seconds: 9, rate: 50, ..Plan::USUAL };
    let comparison = compare(&plan.runs(1), &plan.runs(1));
    assert_eq!(comparison.line(), "there is too little to judge by");
    let mut none = sample::outcome(1);
    none.runs.clear();
    assert_eq!(compare(&none, &none).line(), "there is too little to judge by");
}

#[test]
fn a_share_that_was_zero_and_is_not_is_worse_than_any_allowance() {
    let plan = Plan { seconds: 10, rate: 200, ..Plan::USUAL };
    let (a, mut b) = (plan.runs(4), plan.runs(4));
    for (nth, run) in b.runs.iter_mut().enumerate() {
        run.totals.shed = 20 + nth as u64;
    }
    let comparison = compare(&a, &b);
    assert_eq!(found(&comparison, "shed"), Finding::Worse);
    assert_eq!(
        comparison.worse_than("1000%".parse().unwrap()).len(),
        1,
        "{:?}",
        comparison.worse_than(Allowance(10.0))
    );
}

#[test]
fn an_allowance_is_in_per_cent() {
    assert_eq!("10%".parse(), Ok(Allowance(0.1)));
    assert_eq!(" 2.5 % ".parse(), Ok(Allowance(0.025)));
    for text in ["10", "-1%", "%", "x%", "inf%"] {
        let fault = text.parse::<Allowance>().unwrap_err();
        assert_eq!(fault, format!("`{text}` is not a share in per cent from 0, such as `10%`"));
    }
}
