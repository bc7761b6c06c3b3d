//! What a decision is made under, besides the values that its rules see.

use smallvec::SmallVec;

use crate::bundle::Playbook;
use crate::domain::{FallbackReason, Timestamp};

/// What consents, flow control and caps leave a decision, looked up before it is made and recorded with it: the same
/// circumstances and the same values give the same decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// Why neither rules nor models are asked, and the playbook's default applies.
    pub refusal: Option<FallbackReason>,
    /// Which of the playbook's required consents are given, a bit for each in their order.
    pub consents: u32,
    /// What each of the playbook's caps leaves, in their order. A cap that is not in it leaves nothing; empty for a decision
    /// without consent and for one that was answered late, which do not look.
    pub room: SmallVec<[CapRoom; 2]>,
    /// Which of the values that the rules see are past their soft limit of freshness, by their number, ascending.
    pub stale: SmallVec<[u16; 4]>,
}

/// What a cap leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapRoom {
    /// How much: decisions, or the amount's ordinal. Below zero where a reload has made the cap smaller than what is taken.
    pub left: i64,
    /// When there is more, if nothing else is decided or settled until then; `None` if that is not known, or never.
    pub again: Option<Timestamp>,
}

impl Circumstances {
    /// Whether nothing stands in the way of anything, so that there is nothing to be recorded.
    pub fn is_plain(&self) -> bool {
        self.refusal.is_none() && self.consents == 0 && self.room.is_empty() && self.stale.is_empty()
    }

    /// Whether the customer's context was opened for the decision, and what the event says with it. Not without the consent
    /// that the playbook's purpose needs; and an answer that came too late was given without asking for it.
    pub fn is_context_open(&self, playbook: &Playbook) -> bool {
        match self.refusal {
            Some(FallbackReason::ConsentMissing) => false,
            Some(FallbackReason::Late) => playbook.purpose.as_ref().is_none_or(|purpose| !purpose.needs_consent),
            _ => true,
        }
    }

    /// What the numbered cap leaves.
    #[inline]
    pub fn room(&self, cap: usize) -> CapRoom {
        self.room.get(cap).copied().unwrap_or_default()
    }

    /// Whether the numbered required consent is given.
    #[inline]
    pub fn is_consented(&self, requirement: usize) -> bool {
        self.consents & 1_u32.checked_shl(requirement as u32).unwrap_or(0) != 0
    }
}
