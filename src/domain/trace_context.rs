//! W3C trace context: which trace a call belongs to, and below which span of its caller.

use std::fmt;
use std::sync::Arc;

/// Where a call stands in a trace (<https://www.w3.org/TR/trace-context/>): the headers `traceparent` and `tracestate`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; zero for none.
    pub trace: [u8; 16],
    /// The caller's span; zero where there is none, as at the root of a trace.
    pub span: u64,
    /// The flags, of which the lowest says whether spans of the trace are kept.
    pub flags: u8,
    /// What other tracing systems keep with the trace, as the header has it.
    pub state: Option<Arc<str>>,
}

/// The flag that says that whoever calls keeps spans of the trace.
const SAMPLED: u8 = 1;

/// Bytes of `tracestate` that are passed on: as much as the specification asks for. A longer one counts as absent.
const STATE_BYTES_MAX: usize = 512;

impl TraceContext {
    /// No trace, and none is to be begun for it.
    pub const NONE: Self = Self { trace: [0; 16], span: 0, flags: 0, state: None };

    /// A trace of which only the name is known: it is kept with the decision, and has no spans.
    pub fn named(trace: [u8; 16]) -> Self {
        Self { trace, ..Self::NONE }
    }

    /// Reads the header `traceparent`; one that is malformed counts as absent, as the specification has it.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // A later version may have more to say; this one has not.
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let lower_hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let shapes = [(version, 2), (trace, 32), (span, 16), (flags, 2)];
        if !shapes.into_iter().all(|(text, length)| text.len() == length && lower_hex(text)) {
            return None;
        }
        let (trace, span) = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
        let flags = u8::from_str_radix(flags, 16).ok()?;
        (trace != 0 && span != 0).then(|| Self { trace: trace.to_be_bytes(), span, flags, state: None })
    }

    /// The same with the header `tracestate`.
    #[must_use]
    pub fn with_state(self, tracestate: &str) -> Self {
        let state = tracestate.trim();
        let is_sound =
            !state.is_empty() && state.len() <= STATE_BYTES_MAX && state.bytes().all(|b| (b' '..=b'~').contains(&b));
        Self { state: is_sound.then(|| Arc::from(state)), ..self }
    }

    /// The header `traceparent`.
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", u128::from_be_bytes(self.trace), self.span.max(1), self.flags)
    }

    /// Whether whoever calls keeps spans of the trace.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The same, with spans kept or not.
    #[must_use]
    pub fn sampled(self, is_sampled: bool) -> Self {
        let others = self.flags & !SAMPLED;
        Self { flags: if is_sampled { others | SAMPLED } else { others }, ..self }
    }

    /// The same trace below another span.
    #[must_use]
    pub fn below(&self, span: u64) -> Self {
        Self { span, ..self.clone() }
    }

    /// The trace's name; `None` where there is no trace.
    pub fn id(&self) -> Option<[u8; 16]> {
        (self.trace != Self::NONE.trace).then_some(self.trace)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.traceparent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn takes_over_a_trace_and_ignores_a_malformed_one() {
        let caller = TraceContext::parse(HEADER).unwrap();
        assert_eq!(caller.traceparent(), HEADER);
        assert!(caller.is_sampled());
        assert_eq!(caller.below(0xab).traceparent(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000ab-01");
        let later = TraceContext::parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more").unwrap();
        assert!(!later.is_sampled(), "what a later version adds is passed over");
        for malformed in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
            "00-ü-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn only_the_flag_of_sampling_is_changed() {
        let caller = TraceContext { flags: 0b11, ..TraceContext::parse(HEADER).unwrap() };
        assert_eq!(caller.clone().sampled(false).flags, 0b10, "the caller's random flag stays");
        assert_eq!(caller.sampled(false).sampled(true).flags, 0b11);
        assert_eq!(TraceContext::NONE.id(), None);
        assert_eq!(TraceContext::named([7; 16]).id(), Some([7; 16]));
    }

    #[test]
    fn the_state_is_passed_on_as_it_is_or_not_at_all() {
        let state = |text: &str| TraceContext::parse(HEADER).unwrap().with_state(text).state;
        assert_eq!(
            state(" rojo=00f067aa0ba902b7,congo=t61rcWkgMzE ").as_deref(),
            Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
        );
        for unsound in ["", "  ", "a=ü", &"x".repeat(513)] {
            assert_eq!(state(unsound), None, "{unsound}");
        }
    }
}
