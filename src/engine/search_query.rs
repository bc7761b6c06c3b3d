//! What decisions are searched for, as it is asked and as it is checked.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Error;
use super::search::{Cursor, Searchable, find};
use crate::bundle::{Bundle, Playbook};
use crate::domain::{CustomerId, FallbackReason, Term, Tier, Timestamp, Type, suggestion};
use crate::journal::Bounds;
use crate::turn::{Record, RecordedDecision, Termed, searchable};

/// What is asked of a search, as texts: everything is checked at once, when it is searched for. What is not given is not asked
/// for; what is given must all hold of a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// The customer.
    pub customer: Option<String>,
    /// The playbook that decided.
    pub playbook: Option<String>,
    /// The rule that matched, by its id.
    pub rule: Option<String>,
    /// Who decided.
    pub tier: Option<String>,
    /// Why the default was taken in place of a proposal; `none` for decisions of which it was not.
    pub fallback: Option<String>,
    /// Fields of the outcome and what they hold.
    pub outcome: Vec<(String, String)>,
    /// The earliest arrival (RFC 3339).
    pub from: Option<String>,
    /// The arrival before which it was (RFC 3339).
    pub until: Option<String>,
    /// Decisions of a page: [`Search::LIMIT`] where nothing is said, at most [`Search::LIMIT_MAX`].
    pub limit: Option<String>,
    /// Where to go on: the cursor of the page before, of the same search.
    pub cursor: Option<String>,
    /// `true` for the decisions of the self-check, about customers whom there is not; they are left out where nothing is said.
    pub synthetic: Option<String>,
}

/// One thing that is wrong with a search.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{parameter}` {reason}")]
pub struct SearchFault {
    /// Which part of it.
    pub parameter: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

/// A search without faults.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) conditions: Conditions,
    pub(super) cursor: Option<Cursor>,
    pub(super) limit: usize,
}

/// What must hold of a decision.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    is_synthetic: bool,
    customer: Option<CustomerId>,
    playbook: Option<String>,
    /// Of a playbook.
    rule: Option<(String, String)>,
    tier: Option<Tier>,
    fallback: Option<Option<FallbackReason>>,
    /// Fields and their values, as they are searched by.
    outcome: Vec<(String, String)>,
    /// The first and the last moment.
    pub(super) arrived: (Timestamp, Timestamp),
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            is_synthetic: false,
            customer: None,
            playbook: None,
            rule: None,
            tier: None,
            fallback: None,
            outcome: Vec::new(),
            arrived: (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX)),
        }
    }
}

impl Conditions {
    /// The terms that a record must have.
    pub(super) fn terms(&self) -> Vec<Term> {
        let mut terms: Vec<Term> = Vec::new();
        if self.is_synthetic {
            // The index knows no more of them.
            let customer = self.customer.as_ref().map(|id| Termed::Customer(id).term());
            return customer.into_iter().chain([Termed::Synthetic.term()]).collect();
        }
        terms.extend(self.customer.as_ref().map(|id| Termed::Customer(id).term()));
        terms.extend(self.rule.as_ref().map(|(playbook, rule)| Termed::Rule(playbook, rule).term()));
        if self.rule.is_none() {
            terms.extend(self.playbook.as_ref().map(|name| Termed::Playbook(name).term()));
        }
        terms.extend(self.tier.map(|tier| Termed::Tier(tier).term()));
        terms.extend(self.fallback.map(|reason| Termed::Fallback(reason).term()));
        terms.extend(self.outcome.iter().map(|(field, value)| Termed::Outcome(field, value).term()));
        // A customer has records without decisions too, but few.
        if terms.is_empty() {
            terms.push(Termed::Decision.term());
        }
        terms
    }

    /// Whether they hold of a decision.
    pub(super) fn are_met(&self, record: &Record, decision: &RecordedDecision, bundle: &Bundle) -> bool {
        let playbook = &bundle.playbooks()[decision.playbook];
        let rule = || decision.rule.map(|rank| &*playbook.rules.rules()[rank].id);
        let is_rule = |(of, id): &(String, String)| **of == *playbook.name && rule() == Some(id);
        let holds = |(name, value): &(String, String)| {
            let Some(number) = playbook.outcome.field_number(name) else { return false };
            let field = &playbook.outcome.fields()[number];
            decision
                .outcome
                .get(number)
                .and_then(|held| searchable(&field.ty, held))
                .is_some_and(|held| held == **value)
        };
        (self.arrived.0..=self.arrived.1).contains(&record.arrival)
            && self.is_synthetic == record.input.customer().is_synthetic()
            && self.customer.as_ref().is_none_or(|customer| record.input.customer() == customer)
            && self.playbook.as_ref().is_none_or(|name| **name == *playbook.name)
            && self.rule.as_ref().is_none_or(is_rule)
            && self.tier.is_none_or(|tier| decision.tier == tier)
            && self.fallback.is_none_or(|reason| decision.fallback == reason)
            && self.outcome.iter().all(holds)
    }
}

impl Search {
    /// Decisions of a page where nothing is said: what a person reads at once.
    pub const LIMIT: usize = 20;

    /// Decisions that a page may have: each is a record to be read.
    pub const LIMIT_MAX: usize = 500;

    /// Fields of the outcome that may be asked for.
    pub const FIELDS_MAX: usize = 16;

    /// Checks everything at once.
    pub(super) fn checked(&self, journal: &dyn Searchable) -> Result<Query, Error> {
        let mut check = Check { journal, bundles: journal.bundles()?, faults: Vec::new() };
        let customer = check.customer(self.customer.as_deref());
        let mut conditions = Conditions {
            is_synthetic: check.synthetic(self.synthetic.as_deref(), customer.as_ref()),
            customer,
            tier: check.tier(self.tier.as_deref()),
            fallback: check.fallback(self.fallback.as_deref()),
            arrived: check.arrived(self.from.as_deref(), self.until.as_deref()),
            ..Conditions::default()
        };
        let is_known = match &self.playbook {
            Some(playbook) => check.playbook(playbook)?,
            None => true,
        };
        conditions.playbook.clone_from(&self.playbook);
        // Of a playbook that nobody knows one need not be told that it has no such rule or field.
        if is_known {
            conditions.rule = check.rule(self.playbook.as_deref(), self.rule.as_deref())?;
            conditions.outcome = check.outcome(self.playbook.as_deref(), &self.outcome)?;
        }
        let limit = check.limit(self.limit.as_deref());
        let cursor = check.cursor(self.cursor.as_deref());
        if check.faults.is_empty() { Ok(Query { conditions, cursor, limit }) } else { Err(Error::Search(check.faults)) }
    }
}

/// A search while it is checked.
struct Check<'a> {
    journal: &'a dyn Searchable,
    /// The one in force first.
    bundles: Vec<Arc<Bundle>>,
    faults: Vec<SearchFault>,
}

impl Check<'_> {
    fn fault(&mut self, parameter: &str, reason: String) {
        self.faults.push(SearchFault { parameter: parameter.to_owned(), reason });
    }

    /// Whether anything was ever decided like this. What no bundle at hand knows may be of one that is no longer in force.
    fn was_ever(&self, conditions: &Conditions) -> Result<bool, Error> {
        let cursor = Cursor::NEWEST;
        let page = find(self.journal, conditions, cursor, 1, Bounds::default())?;
        // Where one call does not look through everything, nobody can say that it never was.
        Ok(!page.decisions.is_empty() || page.cursor.is_some())
    }

    fn customer(&mut self, text: Option<&str>) -> Option<CustomerId> {
        let id = CustomerId::recorded(text?);
        id.map_err(|error| self.fault("customer", error.to_string())).ok()
    }

    /// Who asks for a synthetic customer by name asks for its decisions.
    fn synthetic(&mut self, text: Option<&str>, customer: Option<&CustomerId>) -> bool {
        match text {
            None => customer.is_some_and(CustomerId::is_synthetic),
            Some("true") => true,
            Some("false") => false,
            Some(text) => {
                self.fault("synthetic", format!("is `{text}`, expected `true` or `false`"));
                false
            }
        }
    }

    fn tier(&mut self, text: Option<&str>) -> Option<Tier> {
        let text = text?;
        let tiers: Vec<Tier> = (0..=u8::MAX).filter_map(Tier::from_code).collect();
        let found = tiers.iter().copied().find(|tier| tier.as_str() == text);
        if found.is_none() {
            self.fault("tier", not_one_of(text, &tiers.iter().map(|tier| tier.as_str()).collect::<Vec<_>>()));
        }
        found
    }

    fn fallback(&mut self, text: Option<&str>) -> Option<Option<FallbackReason>> {
        let text = text?;
        if text == "none" {
            return Some(None);
        }
        let found = FallbackReason::ALL.into_iter().find(|reason| reason.as_str() == text);
        if found.is_none() {
            let words = FallbackReason::ALL.iter().map(|reason| reason.as_str());
            self.fault("fallback", not_one_of(text, &words.chain(["none"]).collect::<Vec<_>>()));
        }
        found.map(Some)
    }

    fn arrived(&mut self, from: Option<&str>, until: Option<&str>) -> (Timestamp, Timestamp) {
        let (all, faults) = (Conditions::default().arrived, self.faults.len());
        let mut time = |parameter: &str, text: Option<&str>| {
            let time: Result<Timestamp, _> = text?.parse();
            time.map_err(|error| self.fault(parameter, format!("`{}` is {error}", text.unwrap_or_default()))).ok()
        };
        let (from_at, until_at) = (time("from", from), time("until", until));
        if let (Some(from), Some(until)) = (from_at, until_at)
            && from >= until
            && self.faults.len() == faults
        {
            self.fault("until", format!("{until} is not later than `from`, {from}"));
        }
        let last = until_at.map(|until| Timestamp::from_micros(until.micros().saturating_sub(1)));
        (from_at.unwrap_or(all.0), last.unwrap_or(all.1))
    }

    fn limit(&mut self, text: Option<&str>) -> usize {
        let Some(text) = text else { return Search::LIMIT };
        match text.parse() {
            Ok(limit @ 1..=Search::LIMIT_MAX) => limit,
            _ => {
                self.fault("limit", format!("is `{text}`, expected a number from 1 to {}", Search::LIMIT_MAX));
                Search::LIMIT
            }
        }
    }

    fn cursor(&mut self, text: Option<&str>) -> Option<Cursor> {
        let text = text?;
        let cursor = text.parse();
        cursor.map_err(|()| self.fault("cursor", format!("`{text}` is not the cursor of a page"))).ok()
    }

    fn playbooks(&self) -> impl Iterator<Item = &Playbook> {
        self.bundles.iter().flat_map(|bundle| bundle.playbooks())
    }

    /// The playbooks that a condition may be about.
    fn meant(&self, playbook: Option<&str>) -> impl Iterator<Item = &Playbook> {
        self.playbooks().filter(move |of| playbook.is_none_or(|name| *of.name == *name))
    }

    /// Whether a playbook is known, or was ever.
    fn playbook(&mut self, name: &str) -> Result<bool, Error> {
        if self.playbooks().any(|playbook| *playbook.name == *name) {
            return Ok(true);
        }
        let playbook = Some(name.to_owned());
        if self.was_ever(&Conditions { playbook, ..Conditions::default() })? {
            return Ok(true);
        }
        let hint = self.bundles.first().map(|bundle| bundle.suggest_playbook(name)).unwrap_or_default();
        self.fault("playbook", format!("`{name}` is none that ever decided{hint}"));
        Ok(false)
    }

    fn rule(&mut self, playbook: Option<&str>, rule: Option<&str>) -> Result<Option<(String, String)>, Error> {
        let Some(rule) = rule else { return Ok(None) };
        let mut owners = self.owners(playbook, rule);
        if owners.len() > 1 {
            let listed = owners.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            self.fault("rule", format!("`{rule}` is a rule of the playbooks {listed}; say which with `playbook`"));
            return Ok(None);
        }
        if let Some(owner) = owners.pop() {
            return Ok(Some((owner, rule.to_owned())));
        }
        if let Some(playbook) = playbook {
            let of = Some((playbook.to_owned(), rule.to_owned()));
            if self.was_ever(&Conditions { rule: of.clone(), ..Conditions::default() })? {
                return Ok(of);
            }
        }
        let known = self.meant(playbook).flat_map(|of| of.rules.rules()).map(|known| &*known.id);
        let hint = suggestion(rule, known);
        let elsewhere = match playbook {
            Some(name) => format!("`{rule}` is no rule by which playbook `{name}` ever decided{hint}"),
            None => {
                format!("`{rule}` is in no playbook in force{hint}; give the playbook of a rule of earlier days too")
            }
        };
        self.fault("rule", elsewhere);
        Ok(None)
    }

    /// The playbooks that have a rule: those in force, or else those of earlier days.
    fn owners(&self, playbook: Option<&str>, rule: &str) -> Vec<String> {
        let has_it = |of: &&Playbook| of.rules.rules().iter().any(|known| *known.id == *rule);
        let is_meant = |of: &&Playbook| playbook.is_none_or(|name| *of.name == *name);
        let in_force = self.bundles.first().into_iter().flat_map(|bundle| bundle.playbooks());
        let owners: Vec<String> = in_force.filter(is_meant).filter(has_it).map(|of| of.name.to_string()).collect();
        if !owners.is_empty() {
            return owners;
        }
        let earlier: BTreeSet<String> = self.meant(playbook).filter(has_it).map(|of| of.name.to_string()).collect();
        earlier.into_iter().collect()
    }

    fn outcome(&mut self, playbook: Option<&str>, asked: &[(String, String)]) -> Result<Vec<(String, String)>, Error> {
        if asked.len() > Search::FIELDS_MAX {
            self.fault("outcome", format!("asks for {} fields, the limit is {}", asked.len(), Search::FIELDS_MAX));
            return Ok(Vec::new());
        }
        let mut outcome: Vec<(String, String)> = Vec::new();
        for (name, text) in asked {
            if outcome.iter().any(|(known, _)| known == name) {
                self.fault(&format!("outcome.{name}"), "is given twice".to_owned());
            } else if let Some(value) = self.field(playbook, name, text)? {
                outcome.push((name.clone(), value));
            }
        }
        Ok(outcome)
    }

    /// The value of a field as it is searched by.
    fn field(&mut self, playbook: Option<&str>, name: &str, text: &str) -> Result<Option<String>, Error> {
        let parameter = format!("outcome.{name}");
        let types: Vec<&Type> = self
            .meant(playbook)
            .filter_map(|of| Some(&of.outcome.fields()[of.outcome.field_number(name)?].ty))
            .collect();
        if !types.is_empty() && types.iter().all(|ty| matches!(ty, Type::List(_))) {
            self.fault(&parameter, "is a list, and decisions are not searched by lists".to_owned());
            return Ok(None);
        }
        let values =
            types.iter().filter_map(|ty| searchable(ty, &ty.parse(text).ok()?).map(std::borrow::Cow::into_owned));
        let values: BTreeSet<String> = values.collect();
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (Some(value), None) => return Ok(Some(value)),
            (Some(first), Some(second)) => {
                let reason = format!(
                    "`{text}` is `{first}` in one playbook and `{second}` in another; say which with `playbook`"
                );
                self.fault(&parameter, reason);
                return Ok(None);
            }
            (None, _) => {}
        }
        let outcome = vec![(name.to_owned(), text.to_owned())];
        let of_playbook = playbook.map(str::to_owned);
        if self.was_ever(&Conditions { playbook: of_playbook, outcome, ..Conditions::default() })? {
            return Ok(Some(text.to_owned()));
        }
        let types = self.meant(playbook).filter_map(|of| Some(&of.outcome.fields()[of.outcome.field_number(name)?].ty));
        let reason = match types.map(|ty| ty.parse(text).err()).next().flatten() {
            Some(mismatch) => mismatch.to_string(),
            None => {
                let fields = self.meant(playbook).flat_map(|of| of.outcome.fields()).map(|field| &*field.name);
                format!("is no field that was ever decided{}", suggestion(name, fields))
            }
        };
        self.fault(&parameter, reason);
        Ok(None)
    }
}

fn not_one_of(text: &str, words: &[&str]) -> String {
    let listed = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    format!("is `{text}`, expected one of {listed}{}", suggestion(text, words.iter().copied()))
}
