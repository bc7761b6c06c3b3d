//! Names of which a customer's state keeps only fingerprints, looked up in the bundles that are known.

use std::sync::Arc;

use crate::bundle::{Bundle, Cap, Playbook};
use crate::context::{CapKey, ParkedFact, PlaybookKey};

/// Bundles that names are looked up in, the one in force first.
#[derive(Debug)]
pub(super) struct Known {
    in_force: Arc<Bundle>,
    others: Vec<Arc<Bundle>>,
}

/// Stands for a playbook of which nobody knows the name.
const NOT_IN_FORCE: &str = "(no longer in force)";

impl Known {
    pub(super) fn new(in_force: Arc<Bundle>, others: Vec<Arc<Bundle>>) -> Self {
        Self { in_force, others }
    }

    /// A playbook in force.
    pub(super) fn playbook(&self, key: PlaybookKey) -> Option<&Playbook> {
        self.in_force.playbooks().iter().find(|playbook| playbook.key == key)
    }

    /// The name of a playbook, in force or not.
    pub(super) fn playbook_name(&self, key: PlaybookKey) -> String {
        let mut playbooks = self.bundles().flat_map(Bundle::playbooks);
        let found = playbooks.find(|playbook| playbook.key == key);
        found.map_or_else(|| NOT_IN_FORCE.to_owned(), |playbook| playbook.name.to_string())
    }

    /// The name of a fact that the layout has no place for.
    pub(super) fn fact_name(&self, parked: &ParkedFact<'_>) -> Option<String> {
        let mut facts = self.bundles().flat_map(|bundle| bundle.layout().facts());
        facts.find(|fact| parked.is_named(&fact.field.name)).map(|fact| fact.field.name.to_string())
    }

    /// A cap with a playbook that has it, in force or not.
    pub(super) fn cap(&self, key: CapKey) -> Option<(&Cap, &Playbook)> {
        let playbooks = self.bundles().flat_map(Bundle::playbooks);
        let mut caps = playbooks.flat_map(|playbook| playbook.caps.iter().map(move |cap| (cap, playbook)));
        caps.find(|(cap, _)| cap.key == key)
    }

    /// The playbooks in force.
    pub(super) fn playbooks(&self) -> &[Playbook] {
        self.in_force.playbooks()
    }

    /// The playbooks in force that have a cap.
    pub(super) fn playbooks_with(&self, key: CapKey) -> impl Iterator<Item = &Playbook> {
        self.playbooks().iter().filter(move |playbook| playbook.caps.iter().any(|cap| cap.key == key))
    }

    fn bundles(&self) -> impl Iterator<Item = &Bundle> {
        std::iter::once(&*self.in_force).chain(self.others.iter().map(|bundle| &**bundle))
    }
}
