//! What somebody has switched off, and how the providers of large models stand.

use std::sync::Arc;

use serde::Serialize;

use super::{Engine, Error};
use crate::bundle::AgentUse;
use crate::domain::{Money, suggestion};
use crate::gateway::{ModelStanding, ProviderStanding, SwitchError, SwitchKind, SwitchedOff};

/// A switch that is to be turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switching<'a> {
    /// Nobody asks it any more.
    Off {
        /// Why, for those who find it off.
        reason: &'a str,
        /// Who switches it off.
        who: &'a str,
    },
    /// It is asked again.
    On,
}

/// How a switch stands.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SwitchView {
    /// `provider`, `model` or `agent`.
    pub kind: &'static str,
    /// Which: a provider by its name, a model as in `openai/small`, an agent as in `ticket_router` or `ticket_router@1`.
    pub name: String,
    /// Whether it is off.
    pub off: bool,
    /// Why it is off, in the words of who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub reason: Option<String>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub who: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub since: Option<String>,
}

/// How the providers of large models stand, and what was spent on them today.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ProvidersView {
    /// By name.
    pub providers: Vec<ProviderView>,
    /// The budgets of the bundle in force, in the order in which its agents draw on them.
    pub budgets: Vec<BudgetView>,
}

/// How a provider stands.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ProviderView {
    /// Its name in the settings.
    pub name: String,
    /// Where it is asked.
    pub base_url: String,
    /// Whether somebody has switched it off.
    pub off: bool,
    /// `closed` while it is asked, `open` while it is left alone because it failed too often, `half_open` while it is tried.
    pub breaker: &'static str,
    /// How often it was left alone since the start.
    pub openings: u64,
    /// Requests under way.
    pub in_flight: u32,
    /// How many there may be, as it was learned.
    pub in_flight_max: u32,
    /// Its models, by name.
    pub models: Vec<LargeModelView>,
}

/// How a model of a provider stands.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct LargeModelView {
    /// Its name, as in `openai/small`.
    pub name: String,
    /// Whether somebody has switched it off.
    pub off: bool,
    /// In what time half of the requests are answered lately, in microseconds; null while nothing is known.
    pub p50_us: Option<u64>,
    /// In what time nineteen of twenty are.
    pub p95_us: Option<u64>,
}

/// What was spent of a budget on this day (UTC), in units of the currency of the prices.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct BudgetView {
    /// Whose it is, as in `agent:ticket_router`.
    pub name: String,
    /// What there is for a day.
    pub per_day: String,
    /// What was spent, with what is reserved for calls under way.
    pub spent: String,
    /// What is left.
    pub left: String,
}

impl Engine {
    /// Everything that somebody has switched off, by kind and name.
    pub fn switches(&self) -> Vec<SwitchView> {
        self.0.gateway.switches().iter().map(|off| SwitchView::of(off)).collect()
    }

    /// Switches a provider, a model or an agent off, or on again. What is off is asked by nobody from now on, also after a restart, and
    /// what it says to those who have asked is not used. Waits for the disk: not for the way of an event.
    pub fn switch(&self, kind: &str, name: &str, to: Switching<'_>) -> Result<SwitchView, Error> {
        let Some(kind) = SwitchKind::ALL.into_iter().find(|known| known.as_str() == kind) else {
            let hint = suggestion(kind, SwitchKind::ALL.map(SwitchKind::as_str));
            return Err(Error::UnknownSwitch(format!("`{kind}` is no `provider`, `model` or `agent`{hint}")));
        };
        match to {
            Switching::Off { reason, who } => {
                self.check_switch(kind, name)?;
                self.0.gateway.switch_off(kind, name, reason, who)?;
                tracing::warn!(kind = kind.as_str(), name, reason, who, "switched off");
            }
            Switching::On => {
                let was_off = self.0.gateway.switch_on(kind, name)?;
                // What is gone from the settings and was off can be switched on all the same.
                if !was_off {
                    self.check_switch(kind, name)?;
                }
                tracing::warn!(kind = kind.as_str(), name, was_off, "switched on");
            }
        }
        let off = self.0.gateway.switches().into_iter().find(|off| off.kind == kind && *off.name == *name);
        let on =
            SwitchView { kind: kind.as_str(), name: name.to_owned(), off: false, reason: None, who: None, since: None };
        Ok(off.map_or(on, |off| SwitchView::of(&off)))
    }

    /// How the providers stand, and what was spent of the budgets of the bundle in force. May wait for the disk: not for the way of an
    /// event.
    pub fn providers(&self) -> ProvidersView {
        let off = self.0.gateway.switches();
        let view = |standing: ProviderStanding| ProviderView::of(standing, &off);
        let providers = self.0.gateway.providers().into_iter().map(view).collect();
        ProvidersView { providers, budgets: self.budgets() }
    }

    fn budgets(&self) -> Vec<BudgetView> {
        let view = |(name, spent, per_day): (Arc<str>, Money, Money)| BudgetView {
            name: name.to_string(),
            per_day: per_day.to_string(),
            left: per_day.minus(spent).max(Money::ZERO).to_string(),
            spent: spent.to_string(),
        };
        self.budgets_in_numbers().into_iter().map(view).collect()
    }

    /// The budgets of the bundle in force: name, what was spent on this day, what there is for a day.
    pub(super) fn budgets_in_numbers(&self) -> Vec<(Arc<str>, Money, Money)> {
        let (bundle, wall) = (self.bundle(), self.0.clock.wall());
        let agents = bundle.playbooks().iter().flat_map(|playbook| &playbook.agents);
        let mut budgets: Vec<(Arc<str>, Money, Money)> = Vec::new();
        for budget in agents.flat_map(|agent| agent.budgets.iter()) {
            if !budgets.iter().any(|(known, ..)| *known == budget.name) {
                budgets.push((Arc::clone(&budget.name), self.0.gateway.spent(&budget.name, wall), budget.per_day));
            }
        }
        budgets
    }

    /// Whether there is such a thing: a name that was mistyped would switch off nothing.
    fn check_switch(&self, kind: SwitchKind, name: &str) -> Result<(), Error> {
        let providers = self.0.gateway.providers();
        let known: Vec<String> = match kind {
            SwitchKind::Provider => providers.into_iter().map(|provider| provider.name).collect(),
            SwitchKind::Model => providers.into_iter().flat_map(|of| of.models).map(|model| model.name).collect(),
            SwitchKind::Agent => {
                let bundle = self.bundle();
                let agents = bundle.playbooks().iter().flat_map(|playbook| &playbook.agents);
                agents.flat_map(names).collect()
            }
        };
        if known.iter().any(|known| known == name) {
            return Ok(());
        }
        let (kind, place) = match kind {
            SwitchKind::Provider | SwitchKind::Model => (kind.as_str(), "`[providers]` of forthwith.toml has no"),
            SwitchKind::Agent => (kind.as_str(), "no playbook in force uses an"),
        };
        let hint = suggestion(name, known.iter().map(String::as_str));
        Err(Error::UnknownSwitch(format!("{place} {kind} `{name}`{hint}")))
    }
}

impl From<SwitchError> for Error {
    fn from(error: SwitchError) -> Self {
        let said = error.to_string();
        match error {
            SwitchError::Refused(_) => Self::SwitchRefused(said),
            SwitchError::NotKept { .. } | SwitchError::StaysOff { .. } => Self::SwitchNotKept(said),
        }
    }
}

/// The names of an agent: with its version, and of all versions.
fn names(agent: &AgentUse) -> [String; 2] {
    let id = agent.name.split_once('@').map_or(&*agent.name, |(id, _)| id);
    [agent.name.to_string(), id.to_owned()]
}

impl SwitchView {
    fn of(off: &SwitchedOff) -> Self {
        Self {
            kind: off.kind.as_str(),
            name: off.name.to_string(),
            off: true,
            reason: Some(off.reason.to_string()),
            who: Some(off.who.to_string()),
            since: Some(off.since.to_string()),
        }
    }
}

impl ProviderView {
    fn of(standing: ProviderStanding, off: &[Arc<SwitchedOff>]) -> Self {
        let is_off = |kind: SwitchKind, name: &str| off.iter().any(|off| off.kind == kind && *off.name == *name);
        let micros =
            |time: Option<std::time::Duration>| time.map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        let model = |ModelStanding { name, p50, p95 }| LargeModelView {
            off: is_off(SwitchKind::Model, &name),
            p50_us: micros(p50),
            p95_us: micros(p95),
            name,
        };
        Self {
            off: is_off(SwitchKind::Provider, &standing.name),
            name: standing.name,
            base_url: standing.base_url,
            breaker: standing.breaker,
            openings: standing.openings,
            in_flight: standing.in_flight,
            in_flight_max: standing.in_flight_max,
            models: standing.models.into_iter().map(model).collect(),
        }
    }
}
