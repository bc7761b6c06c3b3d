//! Which calls have spans.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::domain::TraceContext;

/// Which calls have spans: a share of those that begin a trace, and of the others those whose callers keep theirs. Cheap to clone.
///
/// A call that has none pays one branch where nobody wants spans (1 ns), and otherwise, if it begins a trace, a name for that (8 ns).
#[derive(Clone, Debug, Default)]
pub struct Sampling(Option<Arc<Sampler>>);

#[derive(Debug)]
struct Sampler {
    /// What the last 56 bits of a trace's name must at least come to, as OpenTelemetry has it: other services that keep a share of
    /// the traces keep the same ones.
    threshold: u64,
    obeys: Obeys,
    /// Names of traces must differ from those of all other machines. They are the only thing here that rests on chance: no decision
    /// depends on them.
    seed: u64,
    named: AtomicU64,
}

/// Whose word counts for a trace that somebody else has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obeys {
    /// The caller's: the flag that comes with the call says whether it has spans.
    Caller,
    /// The share's, whatever the caller does.
    Share,
}

/// One more than the last 56 bits of a trace's name can come to.
const NAMES: u64 = 1 << 56;

impl Sampling {
    /// No call has spans.
    pub fn off() -> Self {
        Self::default()
    }

    /// The share of the traces that begin here, from 0 to 1; other calls do as their callers do.
    pub fn share(of: f64) -> Self {
        Self::new(of, Obeys::Caller)
    }

    /// A share of the traces, from 0 to 1, and whose word counts for those that others have begun.
    pub fn new(share: f64, obeys: Obeys) -> Self {
        // A product of two numbers below 2^57: what is lost is less than one trace in 2^53.
        let kept = (share.clamp(0.0, 1.0) * NAMES as f64) as u64;
        let seed = RandomState::new().hash_one(std::process::id());
        Self(Some(Arc::new(Sampler { threshold: NAMES - kept.min(NAMES), obeys, seed, named: AtomicU64::new(0) })))
    }

    /// Whether no call has spans.
    #[inline]
    pub fn is_off(&self) -> bool {
        self.0.is_none()
    }

    /// What others are told of a trace of which no spans are kept here. Where nobody wants spans they hear what the caller said.
    pub fn declined(&self, caller: &TraceContext) -> TraceContext {
        if self.is_off() { caller.clone() } else { caller.clone().sampled(false) }
    }

    /// Where the spans of a call are to be; `None` if it has none. Without a caller's trace a new one is named, below no span.
    #[inline]
    pub fn admit(&self, caller: Option<&TraceContext>) -> Option<TraceContext> {
        self.0.as_ref()?.admit(caller)
    }
}

impl Sampler {
    fn admit(&self, caller: Option<&TraceContext>) -> Option<TraceContext> {
        match caller {
            Some(caller) => {
                let trace = caller.id()?;
                let is_kept = match self.obeys {
                    Obeys::Caller => caller.is_sampled(),
                    Obeys::Share => self.keeps(trace),
                };
                is_kept.then(|| caller.clone().sampled(true))
            }
            // Nothing is named in vain.
            None if self.threshold == NAMES => None,
            None => {
                let trace = self.name();
                self.keeps(trace).then(|| TraceContext::named(trace).sampled(true))
            }
        }
    }

    fn keeps(&self, trace: [u8; 16]) -> bool {
        u128::from_be_bytes(trace) as u64 % NAMES >= self.threshold
    }

    fn name(&self) -> [u8; 16] {
        let nth = self.named.fetch_add(1, Ordering::Relaxed);
        xxh3_128_with_seed(&nth.to_le_bytes(), self.seed).max(1).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(trace: u128, is_sampled: bool) -> TraceContext {
        TraceContext { span: 7, ..TraceContext::named(trace.to_be_bytes()).sampled(is_sampled) }
    }

    #[test]
    fn without_spans_nobody_has_any() {
        assert_eq!(Sampling::off().admit(None), None);
        assert_eq!(Sampling::off().admit(Some(&of(1, true))), None);
    }

    #[test]
    fn callers_say_whether_their_traces_are_kept() {
        for share in [0.0, 0.5, 1.0] {
            let sampling = Sampling::share(share);
            assert_eq!(sampling.admit(Some(&of(1, true))), Some(of(1, true)));
            assert_eq!(sampling.admit(Some(&of(1, false))), None);
            assert_eq!(sampling.admit(Some(&TraceContext::NONE)), None, "it was said that no trace is to be begun");
        }
    }

    #[test]
    fn the_same_traces_are_kept_everywhere_and_always() {
        let (half, tenth) = (Sampling::new(0.5, Obeys::Share), Sampling::new(0.1, Obeys::Share));
        let kept = |sampling: &Sampling, trace| sampling.admit(Some(&of(trace, false))).is_some();
        // The upper half of the last 56 bits, whatever stands before them.
        assert!(kept(&half, 1 << 55) && kept(&half, (1 << 100) | (1 << 55)));
        assert!(!kept(&half, (1 << 55) - 1) && !kept(&half, 1 << 56));
        let traces = (0..1_000_u64).map(|nth| xxh3_128_with_seed(&nth.to_le_bytes(), 1));
        for trace in traces {
            assert!(!kept(&tenth, trace) || kept(&half, trace), "a larger share keeps what a smaller one does");
            assert_eq!(kept(&half, trace), kept(&Sampling::new(0.5, Obeys::Share), trace));
        }
    }

    #[test]
    fn a_share_of_new_traces_is_kept_and_each_has_a_name_of_its_own() {
        let all: std::collections::BTreeSet<[u8; 16]> = {
            let sampling = Sampling::share(1.0);
            (0..1_000).map(|_| sampling.admit(None).unwrap().trace).collect()
        };
        assert_eq!(all.len(), 1_000);
        assert!((0..1_000).all(|_| Sampling::share(0.0).admit(None).is_none()));
        // By seeds that are fixed here: chance has no part in it.
        let mut sampling = Sampling::share(0.1);
        Arc::get_mut(sampling.0.as_mut().unwrap()).unwrap().seed = 7;
        let kept = (0..10_000).filter(|_| sampling.admit(None).is_some()).count();
        assert!((900..1_100).contains(&kept), "{kept} of 10,000");
        let root = Sampling::share(1.0).admit(None).unwrap();
        assert!(root.is_sampled() && root.span == 0);
    }
}
