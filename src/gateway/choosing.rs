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
