//! The order in which a question's targets are asked.

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::agents::{Choose, Target};
use crate::domain::Money;

/// The numbers of targets, the first to be asked first.
pub(super) type Ranking = SmallVec<[usize; 4]>;

/// The order of the targets for a question that `spread` names. `cost` says what the question could cost at most at a target; one
/// without a price comes last where the choice goes by cost.
///
/// By weight, each target draws a number from the question and its own name, and the numbers are weighed such that the share of
/// each as the first is its share of the weights, and of those that remain likewise (Efraimidis and Spirakis 2006). A target that
/// comes or goes changes nothing in the order of the others. One without weight is only fallen back on.
pub(super) fn ranking(
    targets: &[Target],
    choose: Choose,
    spread: u64,
    cost: impl Fn(&Target) -> Option<Money>,
) -> Ranking {
    let mut ranking: Ranking = (0..targets.len()).collect();
    match choose {
        Choose::Order => {}
        Choose::Cost => ranking.sort_by_cached_key(|nth| {
            let cost = cost(&targets[*nth]);
            (cost.is_none(), cost)
        }),
        Choose::Weight => {
            let drawn: SmallVec<[f64; 4]> = targets.iter().map(|target| draw(target, spread)).collect();
            ranking.sort_by(|a, b| drawn[*a].total_cmp(&drawn[*b]));
        }
    }
    ranking
}

/// A waiting time that is exponential with the weight as its rate: who comes first is first with the share of its weight.
fn draw(target: &Target, spread: u64) -> f64 {
    let seed = xxh3_64_with_seed(target.provider.as_bytes(), spread);
    let hash = xxh3_64_with_seed(target.model.as_bytes(), seed);
    // Within 0 and 1, and neither of them; the logarithm is the same on every machine.
    let even = ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
    -libm::log(even) / f64::from(target.weight)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn targets(weights: &[u32]) -> Vec<Target> {
        let target = |(nth, weight): (usize, &u32)| Target {
            provider: format!("provider-{}", nth / 2).into(),
            model: format!("model-{nth}").into(),
            weight: *weight,
        };
        weights.iter().enumerate().map(target).collect()
    }

    fn by_weight(targets: &[Target], spread: u64) -> Ranking {
        ranking(targets, Choose::Weight, spread, |_| None)
    }

    #[test]
    fn goes_by_the_order_in_which_they_are_listed() {
        assert_eq!(ranking(&targets(&[1, 9, 5]), Choose::Order, 7, |_| None)[..], [0, 1, 2]);
        assert!(ranking(&[], Choose::Weight, 7, |_| None).is_empty());
    }

    #[test]
    fn goes_by_the_cost_and_what_has_no_price_comes_last() {
        let cost = |target: &Target| match &*target.model {
            "model-0" => None,
            "model-1" => Some(Money::from_nanos(900)),
            "model-3" => Some(Money::ZERO),
            _ => Some(Money::from_nanos(300)),
        };
        assert_eq!(ranking(&targets(&[1; 5]), Choose::Cost, 7, cost)[..], [3, 2, 4, 1, 0], "and equals as listed");
    }

    #[test]
    fn what_has_no_weight_is_only_fallen_back_on() {
        for spread in 0..1_000 {
            assert_eq!(by_weight(&targets(&[0, 3, 0, 1]), spread)[2..], [0, 2]);
            assert_eq!(by_weight(&targets(&[0, 0]), spread)[..], [0, 1]);
        }
    }

    #[test]
    fn the_same_question_goes_the_same_way_for_ever() {
        let firsts: String = (0..32).map(|spread| by_weight(&targets(&[1, 2, 3]), spread)[0].to_string()).collect();
        assert_eq!(firsts, "20121222211002112122101000101202");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn shares_are_those_of_the_weights(weights in prop::collection::vec(0_u32..20, 1..6), from in any::<u64>()) {
            const QUESTIONS: u64 = 20_000;
            let targets = targets(&weights);
            let sum: u32 = weights.iter().sum();
            prop_assume!(sum > 0);
            let mut firsts = vec![0_u32; weights.len()];
            for nth in 0..QUESTIONS {
                firsts[by_weight(&targets, from.wrapping_add(nth))[0]] += 1;
            }
            for (weight, first) in weights.iter().zip(&firsts) {
                let (expected, found) = (f64::from(*weight) / f64::from(sum), f64::from(*first) / QUESTIONS as f64);
                prop_assert!((expected - found).abs() < 0.02, "{} instead of {}", found, expected);
            }
        }

        #[test]
        fn a_target_that_goes_leaves_the_others_in_their_order(
            weights in prop::collection::vec(1_u32..20, 2..6),
            gone in any::<prop::sample::Index>(),
            spread in any::<u64>(),
        ) {
            let all = targets(&weights);
            let gone = gone.index(all.len());
            let mut fewer = all.clone();
            fewer.remove(gone);
            let of_all = by_weight(&all, spread);
            let of_fewer = by_weight(&fewer, spread);
            let names_of_all = of_all.iter().filter(|nth| **nth != gone).map(|nth| &all[*nth].model);
            prop_assert!(names_of_all.eq(of_fewer.iter().map(|nth| &fewer[*nth].model)));
        }
    }
}
