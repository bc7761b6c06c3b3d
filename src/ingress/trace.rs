//! W3C trace context: the caller's `traceparent`, taken over into the record and handed back.

use crate::turn::TraceId;

/// A parsed `traceparent` header (<https://www.w3.org/TR/trace-context/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent {
    pub(crate) trace: TraceId,
    flags: u8,
}

impl TraceParent {
    /// Reads a header; one that is malformed counts as absent, as the specification has it.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_known = version == "00" && parts.next().is_none();
        if version.len() != 2
            || version == "ff"
            || (version == "00" && !is_known)
            || parent.len() != 16
            || flags.len() != 2
        {
            return None;
        }
        let lower_hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if trace.len() != 32 || ![version, trace, parent, flags].into_iter().all(lower_hex) {
            return None;
        }
        let number = u128::from_str_radix(trace, 16).ok()?;
        if number == 0 || u64::from_str_radix(parent, 16).ok()? == 0 {
            return None;
        }
        Some(Self { trace: number.to_be_bytes(), flags: u8::from_str_radix(flags, 16).ok()? })
    }

    /// Whether the caller keeps the trace.
    pub(crate) fn is_sampled(self) -> bool {
        self.flags & 1 != 0
    }

    /// The header of the answer: the same trace, with a span of ours.
    pub(crate) fn with_span(self, span: u64) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", u128::from_be_bytes(self.trace), span.max(1), self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_over_a_trace_and_ignores_a_malformed_one() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent = TraceParent::parse(header).unwrap();
        assert_eq!(parent.with_span(0xab), "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000ab-01");
        for malformed in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-ü-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(malformed), None, "{malformed}");
        }
    }
}
