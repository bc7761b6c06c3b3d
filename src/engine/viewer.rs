//! Who looks at a customer: an operator, who sees all there is, or a purpose, which sees what its decisions may.

use std::sync::Arc;

use super::Error;
use crate::bundle::Playbook;
use crate::context::{Consents, Layout, Tags};
use crate::domain::suggestion;

/// Who looks, and which parts of the view something was left out of.
#[derive(Debug)]
pub(super) struct Viewer {
    purpose: Option<Opened>,
    left_out: Vec<&'static str>,
}

/// A purpose that a customer's context is to be opened for.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) name: Arc<str>,
    number: usize,
    /// Whether it needs no consent or has it.
    pub(super) is_allowed: bool,
}

impl Viewer {
    /// The operator.
    pub(super) fn operator() -> Self {
        Self { purpose: None, left_out: Vec::new() }
    }

    /// The operator, or a purpose by its name.
    pub(super) fn of(purpose: Option<&str>, layout: &Layout, consents: &Consents) -> Result<Self, Error> {
        let purpose = purpose.map(|name| Opened::of(name, layout, consents)).transpose()?;
        Ok(Self { purpose, left_out: Vec::new() })
    }

    /// The purpose, if it is one that looks.
    pub(super) fn purpose(&self) -> Option<&Opened> {
        self.purpose.as_ref()
    }

    /// Whether what has these tags is seen: as it would be by a decision of a playbook with the purpose.
    pub(super) fn sees(&self, tags: &Tags) -> bool {
        let is_open = |purpose: &Opened| purpose.is_allowed && tags.is_open_to(Some(purpose.number));
        self.purpose.as_ref().is_none_or(is_open)
    }

    /// Whether what a playbook decided is seen: by a purpose only what was decided for it. Of a playbook that is not in force
    /// nobody knows what it was for.
    pub(super) fn sees_ledger_of(&self, playbook: Option<&Playbook>) -> bool {
        let is_its_own = |purpose: &Opened| {
            let of_playbook = playbook.and_then(|playbook| playbook.purpose.as_ref());
            purpose.is_allowed && of_playbook.is_some_and(|of| of.name == purpose.name)
        };
        self.purpose.as_ref().is_none_or(is_its_own)
    }

    /// What of a part of the view is seen; notes it if that is not all.
    pub(super) fn pick<T>(
        &mut self,
        part: &'static str,
        all: impl IntoIterator<Item = T>,
        is_seen: impl Fn(&Self, &T) -> bool,
    ) -> Vec<T> {
        let (seen, unseen): (Vec<T>, Vec<T>) = all.into_iter().partition(|item| is_seen(self, item));
        if !unseen.is_empty() {
            self.left_out.push(part);
        }
        seen
    }

    /// The parts of the view that something was left out of.
    pub(super) fn left_out(self) -> Vec<&'static str> {
        self.left_out
    }
}

impl Opened {
    fn of(name: &str, layout: &Layout, consents: &Consents) -> Result<Self, Error> {
        let Some(number) = layout.purpose_number(name) else {
            let names = || layout.purposes().iter().map(|purpose| &*purpose.name);
            let hint = match suggestion(name, names()) {
                hint if !hint.is_empty() => hint,
                _ if layout.purposes().is_empty() => "; context.toml declares none".to_owned(),
                _ => {
                    format!("; declared are {}", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
                }
            };
            return Err(Error::UnknownPurpose { name: name.to_owned(), hint });
        };
        let purpose = &layout.purposes()[number];
        Ok(Self { name: Arc::clone(&purpose.name), number, is_allowed: purpose.is_allowed(consents) })
    }
}
