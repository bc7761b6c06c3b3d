//! Which traces the command keeps: as the settings say, or the standard variables, which are stronger.

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

use super::spans::variable;
use crate::config::LogSettings;
use crate::telemetry::{Obeys, Sampling, root_trace};

/// The standard variable that names a sampler, and the one that names its share.
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SHARE: &str = "OTEL_TRACES_SAMPLER_ARG";

/// Which traces are kept; or what is wrong with how that is said.
pub(super) fn sampling(settings: &LogSettings) -> Result<Sampling, String> {
    chosen(variable(SAMPLER).as_deref(), variable(SHARE).as_deref(), settings)
}

fn chosen(sampler: Option<&str>, share: Option<&str>, settings: &LogSettings) -> Result<Sampling, String> {
    let share = || {
        let Some(text) = share else { return Ok(1.0) };
        let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        share
            .ok_or_else(|| format!("`{SHARE}` is `{text}`: expected a share of the traces from 0 to 1, such as `0.05`"))
    };
    Ok(match sampler {
        None => Sampling::new(settings.trace_ratio, Obeys::Caller),
        Some("always_on") => Sampling::new(1.0, Obeys::Share),
        Some("always_off") => Sampling::new(0.0, Obeys::Share),
        Some("traceidratio") => Sampling::new(share()?, Obeys::Share),
        Some("parentbased_always_on") => Sampling::new(1.0, Obeys::Caller),
        Some("parentbased_always_off") => Sampling::new(0.0, Obeys::Caller),
        Some("parentbased_traceidratio") => Sampling::new(share()?, Obeys::Caller),
        Some(other) => {
            return Err(format!(
                "`{SAMPLER}` is `{other}`: expected `always_on`, `always_off`, `traceidratio`, `parentbased_always_on`, \
                 `parentbased_always_off` or `parentbased_traceidratio`"
            ));
        }
    })
}

/// Names traces and spans. A trace that begins here has been named already, when it was found that it is to be kept.
#[derive(Debug, Default)]
pub(super) struct Names(RandomIdGenerator);

impl IdGenerator for Names {
    fn new_trace_id(&self) -> TraceId {
        root_trace().map_or_else(|| self.0.new_trace_id(), TraceId::from_bytes)
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFormat;
    use crate::domain::TraceContext;

    fn settings(trace_ratio: f64) -> LogSettings {
        LogSettings { level: String::new(), format: LogFormat::Text, otlp: None, trace_ratio, slow_share: 0.0 }
    }

    /// Whether a new trace is kept, one whose caller keeps it, and one whose caller does not.
    fn kept(sampler: Option<&str>, share: Option<&str>, ratio: f64) -> [bool; 3] {
        let sampling = chosen(sampler, share, &settings(ratio)).unwrap();
        let theirs = |is_kept| TraceContext::named([255; 16]).sampled(is_kept);
        let kept = |caller: Option<&TraceContext>| sampling.admit(caller).is_some();
        [kept(None), kept(Some(&theirs(true))), kept(Some(&theirs(false)))]
    }

    #[test]
    fn samplers_mean_what_the_specification_says() {
        assert_eq!(kept(None, None, 1.0), [true, true, false]);
        assert_eq!(kept(None, Some("1"), 0.0), [false, true, false], "a share without a sampler says nothing");
        assert_eq!(kept(Some("always_on"), None, 0.0), [true, true, true]);
        assert_eq!(kept(Some("always_off"), None, 1.0), [false, false, false]);
        assert_eq!(kept(Some("traceidratio"), Some("0.0"), 1.0), [false, false, false]);
        assert_eq!(kept(Some("traceidratio"), None, 0.0), [true, true, true]);
        assert_eq!(kept(Some("parentbased_always_on"), None, 0.0), [true, true, false]);
        assert_eq!(kept(Some("parentbased_always_off"), None, 1.0), [false, true, false]);
        assert_eq!(kept(Some("parentbased_traceidratio"), Some("1"), 0.0), [true, true, false]);
    }

    #[test]
    fn a_sampler_that_is_not_known_is_refused() {
        let refused = |sampler, share| chosen(Some(sampler), share, &settings(1.0)).unwrap_err();
        assert!(
            refused("jaeger_remote", None)
                .starts_with("`OTEL_TRACES_SAMPLER` is `jaeger_remote`: expected `always_on`")
        );
        for share in ["1.5", "-1", "NaN", "a tenth"] {
            assert!(
                refused("traceidratio", Some(share)).contains("expected a share of the traces from 0 to 1"),
                "{share}"
            );
        }
    }
}
