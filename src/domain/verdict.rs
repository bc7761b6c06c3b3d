//! The words of a decision: who decided, why a better tier did not, how safely it is kept.

use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $code:literal $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$word_doc])* $word),*
        }

        impl $name {
            /// The word as it stands in answers, records and metrics.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text),*
                }
            }

            /// The number under which records store the word (format v1).
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$word => $code),*
                }
            }

            /// The word stored as `code`.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$word),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

words! {
    /// What made a decision.
    Tier {
        /// The playbook's rules, tables and default.
        Rules = 0 "rules",
        /// A model in process: a classifier of texts, a linear model, trees, a small neural network.
        SmallModel = 1 "small_model",
        /// A large model over HTTP, as one of the playbook's agents.
        LargeModel = 2 "large_model",
    }
}

words! {
    /// Why the rules' answer, or the playbook's default, was taken in place of what a tier proposed.
    FallbackReason {
        /// The guardrail refused the proposal.
        GuardrailRefused = 0 "guardrail_refused",
        /// Rules matched that their table's hit policy does not let match together.
        HitPolicyViolated = 1 "hit_policy_violated",
        /// A cap leaves no room for what was proposed.
        CapReached = 2 "cap_reached",
        /// The customer does not consent to what was proposed, or to the playbook's purpose at all.
        ConsentMissing = 3 "consent_missing",
        /// The playbook has decided as often as it may within a time.
        Throttled = 4 "throttled",
        /// The playbook decided a moment ago, and things have not been quiet since.
        Debounced = 5 "debounced",
        /// As many of the playbook's decisions are pending as may be.
        TooManyPending = 6 "too_many_pending",
        /// The decision could not be made before its deadline.
        Late = 7 "late",
        /// The disk had not confirmed by the deadline what the decision takes of a cap.
        InDoubt = 8 "in_doubt",
        /// The last model that was asked was not sure enough.
        Unsure = 9 "unsure",
        /// The last model that was asked took the input for none of its business.
        OutOfScope = 10 "out_of_scope",
        /// Nothing of what the last model found likely is permitted.
        NotPermitted = 11 "not_permitted",
        /// A value that the last model reads was not there.
        InputUnavailable = 12 "input_unavailable",
        /// The last model had no answer before the deadline.
        ModelLate = 13 "model_late",
        /// Too many were waiting for the last model.
        ModelShed = 14 "model_shed",
        /// The last model failed.
        ModelFailed = 15 "model_failed",
        /// What the large model's latency has been lately left too little chance of an answer in time: it was not asked.
        WouldBeLate = 16 "would_be_late",
        /// The provider of the large model has failed too often lately: it was not asked.
        ProviderDown = 17 "provider_down",
        /// The provider of the large model takes no more requests for now.
        RateLimited = 18 "rate_limited",
        /// The call could have cost more than is left of a budget: the large model was not asked.
        OverBudget = 19 "over_budget",
        /// Somebody has switched the agent, its model or its provider off.
        SwitchedOff = 20 "switched_off",
        /// What the large model answered is not what it was asked for.
        AnswerUnusable = 21 "answer_unusable",
        /// The agent may only advise: what it said is in the trace, the rules' answer holds.
        AdviceOnly = 22 "advice_only",
        /// The proposal is beyond one of the guardrail's limits.
        LimitPassed = 23 "limit_passed",
    }
}

impl Tier {
    /// All tiers, for metrics, each at the place of its code.
    pub const ALL: [Self; 3] = [Self::Rules, Self::SmallModel, Self::LargeModel];
}

impl FallbackReason {
    /// All reasons, for metrics.
    pub const ALL: [Self; 24] = [
        Self::GuardrailRefused,
        Self::HitPolicyViolated,
        Self::CapReached,
        Self::ConsentMissing,
        Self::Throttled,
        Self::Debounced,
        Self::TooManyPending,
        Self::Late,
        Self::InDoubt,
        Self::Unsure,
        Self::OutOfScope,
        Self::NotPermitted,
        Self::InputUnavailable,
        Self::ModelLate,
        Self::ModelShed,
        Self::ModelFailed,
        Self::WouldBeLate,
        Self::ProviderDown,
        Self::RateLimited,
        Self::OverBudget,
        Self::SwitchedOff,
        Self::AnswerUnusable,
        Self::AdviceOnly,
        Self::LimitPassed,
    ];
}

words! {
    /// What becomes of a pending decision.
    Settlement {
        /// It was carried out: what it reserved is used.
        Commit = 0 "commit",
        /// It was not: what it reserved is free again.
        Release = 1 "release",
    }
}

words! {
    /// What someone says of a decision when looking back at it.
    FeedbackVerdict {
        /// It was right, and stands as it was made.
        Accepted = 0 "accepted",
        /// Someone put something else in its place, in whole or in part.
        Edited = 1 "edited",
        /// It was wrong.
        Rejected = 2 "rejected",
    }
}

impl FeedbackVerdict {
    /// All verdicts.
    pub const ALL: [Self; 3] = [Self::Accepted, Self::Edited, Self::Rejected];
}

words! {
    /// How safely a decision was kept when its answer went out.
    Durability {
        /// On disk: a crash of the machine does not lose it.
        Disk = 0 "disk",
        /// In memory and on its way to the disk.
        Memory = 1 "memory",
        /// The deadline came before the disk had confirmed: it may or may not survive a crash at this moment.
        Pending = 2 "pending",
    }
}
