//! Families of rules: what they look at, and how narrow they are.

use std::cmp::Reverse;

use super::event::EventSpec;
use super::field::{FIELDS, INTENT, Kind, NUMBERS, PRODUCT, VIP, products};
use super::random::{Random, Zipf};

/// A way of making rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Nine rules of ten name a product, the most frequent one in about an eighth of the rules; the tenth names an intent
    /// and two narrow ranges.
    Keyed,
    /// Three or four tests of fields with few values and of ranges: no key tells most rules apart. Rules are as wide among
    /// many as among few, so that of many rules several match an event.
    Dense,
    /// As dense, but the ranges shrink as the rules grow in number: however many there are, one or two match an event that
    /// nobody chose. So a third of the events reaches the default at every size, and nothing ends a search early.
    Narrow,
}

/// One test of a rule.
#[derive(Clone, Debug)]
pub(crate) struct Predicate {
    /// The position of the field.
    pub(crate) field: usize,
    pub(crate) test: Test,
}

/// What is asked of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// Equal; of texts and truths.
    Is(i64),
    /// One of two to four texts, in order.
    OneOf(Vec<i64>),
    /// Not below the first and below the second; of numbers.
    Range(i64, i64),
}

/// A rule: all its tests hold.
#[derive(Clone, Debug)]
pub(crate) struct RuleSpec {
    pub(crate) tests: Vec<Predicate>,
}

/// Rules, in the order in which they are asked.
pub(crate) fn rules(family: Family, count: usize) -> Vec<RuleSpec> {
    let mut maker = Maker { random: Random::new(42), products: Zipf::new(products(count)), count };
    let mut rules: Vec<RuleSpec> = (0..count)
        .map(|nth| match family {
            Family::Keyed if nth % 10 == 9 => maker.keyless(),
            Family::Keyed => maker.keyed(),
            Family::Dense => maker.dense(),
            Family::Narrow => maker.narrow(),
        })
        .map(|tests| RuleSpec { tests })
        .collect();
    maker.random.shuffle(&mut rules);
    rules.sort_by_key(|rule| Reverse(rule.tests.len()));
    // The copies lie in memory as they are asked; what was shuffled does not, and the judge would wait for it.
    rules.to_vec()
}

impl Family {
    /// All families.
    pub(crate) const ALL: [Self; 3] = [Self::Keyed, Self::Dense, Self::Narrow];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Keyed => "keyed",
            Self::Dense => "dense",
            Self::Narrow => "narrow",
        }
    }

    /// The family of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}

impl RuleSpec {
    /// Whether all tests hold.
    pub(crate) fn matches(&self, event: &EventSpec) -> bool {
        self.tests.iter().all(|predicate| predicate.test.holds(event.0[predicate.field]))
    }
}

impl Test {
    /// Whether it holds of a value.
    pub(crate) fn holds(&self, value: i64) -> bool {
        match self {
            Self::Is(wanted) => value == *wanted,
            Self::OneOf(wanted) => wanted.contains(&value),
            Self::Range(from, to) => *from <= value && value < *to,
        }
    }
}

// === Maker ===

/// Makes the tests of one rule after the other.
struct Maker {
    random: Random,
    products: Zipf,
    count: usize,
}

impl Maker {
    /// The share of a number's domain that a range of ordinary rules covers.
    const WIDE: (f64, f64) = (0.1, 0.5);
    /// The same for rules without a key, which have nothing else to be selective with.
    const MIDDLING: (f64, f64) = (0.01, 0.06);

    fn keyed(&mut self) -> Vec<Predicate> {
        let product = self.products.next(&mut self.random) as i64;
        let mut tests = vec![Predicate { field: PRODUCT, test: Test::Is(product) }];
        let others = 1 + self.random.below(3);
        tests.extend(self.keyless_fields(others).into_iter().map(|field| self.predicate(field, Self::WIDE)));
        tests
    }

    fn keyless(&mut self) -> Vec<Predicate> {
        let mut tests = vec![self.predicate(INTENT, Self::WIDE)];
        for number in self.random.pick(2, NUMBERS.len()) {
            tests.push(self.predicate(NUMBERS[number], (0.02, 0.1)));
        }
        if self.random.chance(0.5) {
            tests.push(self.predicate(VIP, Self::WIDE));
        }
        tests
    }

    fn dense(&mut self) -> Vec<Predicate> {
        let count = 3 + self.random.below(2);
        // Two truths and little else would let every sixth event pass.
        let fields = loop {
            let fields = self.keyless_fields(count);
            if fields.iter().filter(|field| FIELDS[**field].kind == Kind::Bool).count() < 2 {
                break fields;
            }
        };
        fields.into_iter().map(|field| self.predicate(field, Self::MIDDLING)).collect()
    }

    /// Two texts or truths and two ranges, so wide that about two rules in all match an event by chance.
    fn narrow(&mut self) -> Vec<Predicate> {
        let few: Vec<usize> = (0..FIELDS.len()).filter(|n| *n != PRODUCT && !NUMBERS.contains(n)).collect();
        let mut tests: Vec<Predicate> = self
            .random
            .pick(2, few.len())
            .into_iter()
            .map(|position| self.predicate(few[position], Self::WIDE))
            .collect();
        let share: f64 = tests.iter().map(Predicate::share).product();
        let wanted = 2.0 / self.count as f64 * (0.3 + 1.4 * self.random.unit());
        let width = (wanted / share).sqrt().clamp(0.002, 0.6);
        for number in self.random.pick(2, NUMBERS.len()) {
            tests.push(self.predicate(NUMBERS[number], (width, width)));
        }
        tests
    }

    /// So many fields other than the product, in random order.
    fn keyless_fields(&mut self, count: usize) -> Vec<usize> {
        let others: Vec<usize> = (0..FIELDS.len()).filter(|field| *field != PRODUCT).collect();
        self.random.pick(count, others.len()).into_iter().map(|position| others[position]).collect()
    }

    /// A test of a field; a range covers a share of the field's domain that lies within the bounds.
    fn predicate(&mut self, field: usize, width: (f64, f64)) -> Predicate {
        let test = match FIELDS[field].kind {
            Kind::Bool => Test::Is(self.random.within(0, 1)),
            Kind::Product => Test::Is(self.products.next(&mut self.random) as i64),
            Kind::Text(length) => self.text(length),
            Kind::Decimal(from, to) | Kind::Int(from, to) => self.range(from, to, width),
        };
        Predicate { field, test }
    }

    fn text(&mut self, length: i64) -> Test {
        if self.random.chance(0.6) {
            return Test::Is(self.random.within(0, length - 1));
        }
        let count = 2 + self.random.below(3);
        let mut wanted: Vec<i64> =
            self.random.pick(count, length as usize).into_iter().map(|position| position as i64).collect();
        wanted.sort_unstable();
        Test::OneOf(wanted)
    }

    fn range(&mut self, from: i64, to: i64, width: (f64, f64)) -> Test {
        let values = to - from + 1;
        let share = width.0 + (width.1 - width.0) * self.random.unit();
        let covered = ((values as f64 * share).round() as i64).clamp(1, values);
        let start = self.random.within(from, to + 1 - covered);
        Test::Range(start, start + covered)
    }
}

impl Predicate {
    /// The share of its field's values that it lets pass.
    fn share(&self) -> f64 {
        let values = match FIELDS[self.field].kind {
            Kind::Text(length) => length,
            Kind::Product => return 0.0,
            Kind::Decimal(from, to) | Kind::Int(from, to) => to - from + 1,
            Kind::Bool => 2,
        };
        let passing = match &self.test {
            Test::Is(_) => 1,
            Test::OneOf(wanted) => wanted.len() as i64,
            Test::Range(from, to) => to - from,
        };
        passing as f64 / values as f64
    }
}
