//! Property: the disjunctive normal form keeps all three truth values.

use proptest::prelude::*;

use super::super::eval::Evaluation;
use super::super::normal::{ROWS_MAX, Row, rows};
use super::oracle::{condition_with_stand_ins, oracle_scope, world};
use super::*;
use crate::rules::{Kleene, Values};

fn kleene(truth: Truth) -> Kleene {
    match truth {
        Truth::True => Kleene::True,
        Truth::False => Kleene::False,
        Truth::Unavailable(_) => Kleene::Unavailable,
    }
}

fn truth_of_row<'a, V: Values>(row: &Row<'a>, evaluation: &mut Evaluation<'a, V>) -> Kleene {
    let sets = row.sets.iter().map(|(slot, set)| match evaluation.values.value(*slot) {
        Ok(value) if set.extent.has(value) => Kleene::True,
        Ok(_) => Kleene::False,
        Err(_) => set.when_unavailable,
    });
    let least = sets.min().unwrap_or(Kleene::True);
    let residue = row.residue.iter().map(|residue| {
        let truth = kleene(evaluation.truth(residue.expr));
        if residue.is_negated { !truth } else { truth }
    });
    residue.fold(least, Kleene::min)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(2_000), ..ProptestConfig::default() })]

    #[test]
    fn a_condition_is_as_true_as_its_truest_row(source in condition_with_stand_ins(), world in world()) {
        let scope = oracle_scope();
        let mut texts = TextIndexBuilder::default();
        // Some that are written at random are refused for what they cost.
        let Ok(condition) = Condition::compile(&source, &scope, &mut texts) else { return Ok(()) };
        let (texts, given, mut scratch) = (texts.build().unwrap(), world.given(&scope), Scratch::default());
        let mut evaluation = Evaluation::new(&given, &texts, &mut scratch.evaluation);
        let rows = rows(&condition);
        prop_assert!(rows.len() <= ROWS_MAX);
        let truest = rows.iter().map(|row| truth_of_row(row, &mut evaluation)).max().unwrap_or(Kleene::False);
        prop_assert_eq!(truest, kleene(condition.truth(&mut evaluation)), "{} in {:?}", source, rows);
    }
}
