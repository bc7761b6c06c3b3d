//! What the end of a request means: for the provider's breaker, for its limits, for the money, and for what is done next.

use super::response::Unsaid;
use crate::agents::Silence;

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// An answer of the asked form.
    Answered,
    /// A response that has no answer of the asked form.
    Misfit(Misread),
    /// A response with this status, which is no success.
    Status(u16),
    /// No connection: nothing was sent.
    Unconnected,
    /// The connection broke before the response was complete.
    Broken,
    /// The response was longer than it may be.
    Overlong,
    /// It took longer than one request may take.
    TimedOut,
}

/// Why a response has no answer of the asked form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misread {
    /// It has no text.
    Unsaid(Unsaid),
    /// Its text is not of the form.
    Form,
}

/// What the ending of a request means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What the breaker hears.
    pub(super) fault: Fault,
    /// Whether the provider says that it has too much to do.
    pub(super) is_overload: bool,
    /// What it costs.
    pub(super) cost: Cost,
    /// Who may be asked next.
    pub(super) next: Next,
    /// What the question's silence is if nobody else is asked.
    pub(super) silence: Silence,
}

/// Whose fault a request's ending is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nobody's: the provider did what it should. Whether it was quick is another matter.
    None,
    /// The provider's.
    Providers,
    /// Ours, or one that says nothing about how the provider is.
    Ours,
}

/// What a request costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// Nothing: the provider turned the request away before a model saw it, or failed so that it has nothing to bill.
    Nothing,
    /// What the provider counted; all that was reserved if it does not say.
    Counted,
    /// All that was reserved: a model may have read the prompt and written an answer, and nobody says how far it had come.
    Full,
}

/// Who may be asked after a request that brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another target: this one would say the same again.
    Another,
    /// Another target, or the same if there is no other.
    Anyone,
}

impl Ending {
    /// What it means. The one place that says so.
    pub(super) fn verdict(&self) -> Verdict {
        let sound = Verdict {
            fault: Fault::None,
            is_overload: false,
            cost: Cost::Counted,
            next: Next::Another,
            silence: Silence::Unusable,
        };
        let failed = Verdict {
            fault: Fault::Providers,
            is_overload: false,
            cost: Cost::Full,
            next: Next::Anyone,
            silence: Silence::Failed,
        };
        // With 401, 403, 404, 429, 503 and 529 no model was reached, and nobody bills that. A 500 is what the provider's own program says when it broke down: it has no usage to put on a bill. The budget
        // of a day would be gone after an hour of them if they counted in full.
        let refused = Verdict { fault: Fault::Ours, cost: Cost::Nothing, next: Next::Another, ..failed };
        match self {
            // No completion at all: a page of whatever stands before the provider, and no word from a model.
            Self::Misfit(Misread::Unsaid(Unsaid::Malformed)) => Verdict { fault: Fault::Providers, ..sound },
            Self::Answered | Self::Misfit(_) => sound,
            Self::Unconnected => Verdict { cost: Cost::Nothing, ..failed },
            Self::Broken => failed,
            // It would time out again, and the time is gone.
            Self::TimedOut => Verdict { next: Next::Another, ..failed },
            Self::Overlong => Verdict { next: Next::Another, silence: Silence::Unusable, ..failed },
            // The prompt, the schema or a parameter is refused: what is too long or unknown to one model is not so to another.
            // A content filter or a limit may say so after a model has read or written, which is billed.
            Self::Status(400 | 413 | 422) => Verdict { cost: Cost::Full, ..refused },
            Self::Status(429) => {
                Verdict { is_overload: true, next: Next::Anyone, silence: Silence::RateLimited, ..refused }
            }
            Self::Status(425) => Verdict { cost: Cost::Nothing, ..failed },
            // Somebody between us and the model lost patience: the model may have been at work, and its work is billed.
            Self::Status(408 | 502 | 504) => failed,
            // 529 is what some providers say when they are overloaded.
            Self::Status(503 | 529) => Verdict { is_overload: true, cost: Cost::Nothing, ..failed },
            Self::Status(500) => Verdict { cost: Cost::Nothing, ..failed },
            Self::Status(500..) => Verdict { cost: Cost::Nothing, next: Next::Another, ..failed },
            // A wrong key, a model that is not there, a redirect: our settings for this provider.
            Self::Status(_) => refused,
        }
    }

    /// Whether a person must mend the settings before it gets better.
    pub(super) fn is_for_people(&self) -> bool {
        matches!(self, Self::Status(300..=407)) && !matches!(self, Self::Status(400))
    }

    /// Whether the provider refuses what was asked. If it does so again and again, it is not the question but how it is put.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Status(400 | 413 | 422))
    }

    /// In the words of metrics and logs.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Misfit(Misread::Form) => "misfit",
            Self::Misfit(Misread::Unsaid(unsaid)) => unsaid.as_str(),
            Self::Status(400 | 413 | 422) => "refused",
            Self::Status(401 | 403) => "unauthorised",
            Self::Status(404) => "not_found",
            Self::Status(429) => "rate_limited",
            Self::Status(500..) => "server_error",
            Self::Status(_) => "client_error",
            Self::Unconnected => "unconnected",
            Self::Broken => "broken",
            Self::Overlong => "overlong",
            Self::TimedOut => "timed_out",
        }
    }

    /// All the words of [`Ending::as_str`], and those for requests that were given up.
    pub(super) const WORDS: [&'static str; 19] = [
        "answered",
        "misfit",
        "malformed",
        "refused_to_say",
        "cut_off",
        "filtered",
        "empty",
        "refused",
        "unauthorised",
        "not_found",
        "rate_limited",
        "server_error",
        "client_error",
        "unconnected",
        "broken",
        "overlong",
        "timed_out",
        "given_up",
        "cancelled",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_question_is_at_fault_for_is_not_held_against_the_provider() {
        for status in [400, 401, 403, 404, 413, 422] {
            let verdict = Ending::Status(status).verdict();
            let is_read = [400, 413, 422].contains(&status);
            let cost = if is_read { Cost::Full } else { Cost::Nothing };
            assert_eq!((verdict.fault, verdict.cost), (Fault::Ours, cost), "{status}");
            assert_ne!(verdict.next, Next::Anyone, "{status} is never tried again there");
        }
        for status in [400, 413, 422] {
            assert_eq!(Ending::Status(status).verdict().next, Next::Another, "another model may take it");
        }
    }

    #[test]
    fn servers_errors_broken_connections_and_timeouts_are_the_providers() {
        let costs = [(500, Cost::Nothing), (503, Cost::Nothing), (529, Cost::Nothing)];
        for (status, cost) in costs.into_iter().chain([408, 502, 504].map(|status| (status, Cost::Full))) {
            let verdict = Ending::Status(status).verdict();
            let expected = (Fault::Providers, cost, Next::Anyone);
            assert_eq!((verdict.fault, verdict.cost, verdict.next), expected, "{status}");
        }
        for ending in [Ending::Broken, Ending::TimedOut, Ending::Overlong] {
            let verdict = ending.verdict();
            assert_eq!((verdict.fault, verdict.cost), (Fault::Providers, Cost::Full), "{ending:?}");
        }
        assert_eq!(Ending::Unconnected.verdict().cost, Cost::Nothing);
    }

    #[test]
    fn too_many_requests_shrink_the_limit_and_leave_the_breaker_alone() {
        let verdict = Ending::Status(429).verdict();
        assert_eq!((verdict.fault, verdict.is_overload), (Fault::Ours, true));
        assert_eq!((verdict.next, verdict.silence), (Next::Anyone, Silence::RateLimited));
    }

    #[test]
    fn an_answer_that_is_of_no_use_is_paid_for() {
        let verdict = Ending::Misfit(Misread::Form).verdict();
        assert_eq!((verdict.fault, verdict.cost), (Fault::None, Cost::Counted));
        assert_eq!((verdict.next, verdict.silence), (Next::Another, Silence::Unusable));
    }

    #[test]
    fn what_is_no_completion_at_all_is_the_providers_fault() {
        let verdict = Ending::Misfit(Misread::Unsaid(Unsaid::Malformed)).verdict();
        assert_eq!((verdict.fault, verdict.next), (Fault::Providers, Next::Another));
        for unsaid in [Unsaid::Refused, Unsaid::CutOff, Unsaid::Filtered, Unsaid::Empty] {
            assert_eq!(Ending::Misfit(Misread::Unsaid(unsaid)).verdict().fault, Fault::None, "{unsaid:?}");
        }
    }

    #[test]
    fn a_word_of_every_ending_is_in_the_list() {
        let unsaid = [Unsaid::Malformed, Unsaid::Refused, Unsaid::CutOff, Unsaid::Filtered, Unsaid::Empty];
        let misfits = unsaid.map(|unsaid| Ending::Misfit(Misread::Unsaid(unsaid)));
        let statuses = (300..600).map(Ending::Status);
        let others =
            [Ending::Answered, Ending::Misfit(Misread::Form), Ending::Unconnected, Ending::Broken, Ending::Overlong];
        for ending in misfits.into_iter().chain(statuses).chain(others).chain([Ending::TimedOut]) {
            assert!(Ending::WORDS.contains(&ending.as_str()), "{ending:?}");
        }
    }
}
