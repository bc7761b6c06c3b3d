//! Models that agents name and no provider has: no fault, for a bundle may be used where there are other providers.

use std::fmt;
use std::sync::Arc;

use super::Config;
use crate::agents::Target;
use crate::gateway;

/// An agent of a playbook some or all of whose models no configured provider has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unserved {
    /// The playbook.
    pub playbook: Arc<str>,
    /// The agent.
    pub agent: Arc<str>,
    /// The models, as in `openai/small`.
    pub models: Vec<String>,
    /// Whether there is no other model that it could ask.
    pub is_never_asked: bool,
}

impl Config {
    /// The agents whose models are not all there, in the order of playbooks and agents.
    pub fn unserved(&self) -> Vec<Unserved> {
        let gateway = &self.engine.gateway;
        let playbooks = self.engine.bundle.playbooks().iter();
        let uses = playbooks.flat_map(|playbook| playbook.agents.iter().map(|of| (&playbook.name, of)));
        let unserved = uses.filter_map(|(playbook, of)| {
            let targets = &of.agent.targets;
            let models: Vec<String> =
                targets.iter().filter(|target| !has(gateway, target)).map(ToString::to_string).collect();
            (!models.is_empty()).then(|| Unserved {
                playbook: Arc::clone(playbook),
                agent: Arc::clone(&of.name),
                is_never_asked: models.len() == targets.len(),
                models,
            })
        });
        unserved.collect()
    }
}

fn has(gateway: &gateway::Config, target: &Target) -> bool {
    let provider = gateway.providers.iter().find(|provider| *provider.name == *target.provider);
    provider.is_some_and(|provider| provider.models.iter().any(|model| *model.name == *target.model))
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { playbook, agent, models, is_never_asked } = self;
        let named = models.iter().map(|model| format!("`{model}`")).collect::<Vec<_>>().join(", ");
        let is = if models.len() == 1 { "is" } else { "are" };
        let comes_of_it = if *is_never_asked { "it is never asked" } else { "only its other models are asked" };
        write!(f, "agent `{agent}` of {playbook}: {named} {is} not in `[providers]` of forthwith.toml; {comes_of_it}")
    }
}
