//! What a provider says about its limits: `Retry-After` and `x-ratelimit-…`.
//!
//! A header that cannot be read is no header: what is not understood must not stop calls.

use std::time::Duration;

use crate::domain::Timestamp;

/// What the headers of a response say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RateHeaders {
    /// Nothing should be sent for so long.
    pub(super) retry_after: Option<Duration>,
    /// Requests.
    pub(super) requests: Told,
    /// Tokens.
    pub(super) tokens: Told,
}

/// What is said about one of the limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The limit itself.
    pub(super) limit: Option<u64>,
    /// What is left of it.
    pub(super) remaining: Option<u64>,
    /// After so long it is whole again.
    pub(super) reset: Option<Duration>,
}

/// Days of the week and months, as the dates of HTTP write them.
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl RateHeaders {
    /// Reads them; `header` gives the value of a header by its name in lower case. `wall` is what a date is compared with.
    pub(super) fn read<'a>(header: impl Fn(&str) -> Option<&'a str>, wall: Timestamp) -> Self {
        let told = |limit, remaining, reset| Told {
            limit: header(limit).and_then(count),
            remaining: header(remaining).and_then(count),
            reset: header(reset).and_then(span),
        };
        // Some providers say it in milliseconds too, which is more exact.
        let millis = header("retry-after-ms").and_then(count).map(Duration::from_millis);
        Self {
            retry_after: millis.or_else(|| header("retry-after").and_then(|text| retry_after(text, wall))),
            requests: told(
                "x-ratelimit-limit-requests",
                "x-ratelimit-remaining-requests",
                "x-ratelimit-reset-requests",
            ),
            tokens: told("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
        }
    }
}

/// The value of `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3). A date that is past says "at once".
pub(super) fn retry_after(text: &str, wall: Timestamp) -> Option<Duration> {
    let text = text.trim();
    seconds(text).or_else(|| Some(http_date(text)?.since(wall).to_std()))
}

/// A length of time such as `1s`, `6m0s`, `20ms` or `2m59.56s`, the unit written after each number; a bare number is seconds.
pub(super) fn span(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Some(seconds) = seconds(text) {
        return Some(seconds);
    }
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, tail) = after.split_at(unit_end);
        let unit = match unit {
            "d" => 86_400_000_000_000,
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        sum = sum.checked_add(times(number, unit)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(sum)
}

/// A date of HTTP in any of its three forms (RFC 9110, section 5.6.7).
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split([' ', '-', ',']).filter(|word| !word.is_empty()).take(8).collect();
    let (day, month, year, time) = match words[..] {
        // `Sun, 06 Nov 1994 08:49:37 GMT`, and `Sunday, 06-Nov-94 08:49:37 GMT`.
        [_, day, month, year, time, "GMT"] => (day, month, year, time),
        // `Sun Nov  6 08:49:37 1994`
        [_, month, day, time, year] => (day, month, year, time),
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let day: u8 = digits(day)?.parse().ok()?;
    let year: u16 = match (digits(year)?, year.len()) {
        (year, 4) => year.parse().ok()?,
        // Two digits are of the years that clocks show: nobody announces a date fifty years ahead.
        (year, 2) => year.parse::<u16>().ok().map(|year| if year < 70 { 2_000 + year } else { 1_900 + year })?,
        _ => return None,
    };
    let is_time = time.len() == 8 && time.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    // A leap second is as good as the one before it.
    let time = time.strip_suffix(":60").map_or_else(|| time.to_owned(), |rest| format!("{rest}:59"));
    if !is_time {
        return None;
    }
    format!("{year:04}-{month:02}-{day:02}T{time}Z").parse().ok()
}

fn count(text: &str) -> Option<u64> {
    digits(text.trim())?.parse().ok()
}

fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

fn seconds(text: &str) -> Option<Duration> {
    times(text, 1_000_000_000)
}

/// A number with decimal places, times `nanos`; without floating point, and refused where it is out of range.
fn times(number: &str, nanos: u64) -> Option<Duration> {
    let (whole, places) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = digits(whole)?.parse().ok()?;
    let mut sum = u128::from(whole) * u128::from(nanos);
    let mut unit = u128::from(nanos) * 1_000_000_000;
    for byte in places.bytes() {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        unit /= 10;
        sum += unit * u128::from(digit) / 1_000_000_000;
    }
    u64::try_from(sum).ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wall(text: &str) -> Timestamp {
        text.parse().expect("it is a time")
    }

    #[test]
    fn reads_spans_as_providers_write_them() {
        let millis = |text: &str| span(text).map(|span| span.as_micros());
        for (text, micros) in [
            ("1s", 1_000_000),
            ("6m0s", 360_000_000),
            ("20ms", 20_000),
            ("2m59.56s", 179_560_000),
            ("7.66s", 7_660_000),
            ("1h2m3.5s", 3_723_500_000),
            ("1d", 86_400_000_000),
            ("250us", 250),
            ("12", 12_000_000),
            ("0.5", 500_000),
            (" 3 ", 3_000_000),
            ("0s", 0),
        ] {
            assert_eq!(millis(text), Some(micros), "{text}");
        }
        for text in ["", "s", "1x", "-1s", "1s2", "1.2.3s", ".5s", "1e3", "99999999999999999999s", "584542046091d"] {
            assert_eq!(span(text), None, "{text}");
        }
    }

    #[test]
    fn reads_retry_after_as_seconds_and_as_a_date_of_each_form() {
        let now = wall("1994-11-06T08:49:00Z");
        let after = |text| retry_after(text, now);
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(after(text), Some(Duration::from_secs(37)), "{text}");
        }
        assert_eq!(after("Sun, 06 Nov 1994 08:48:37 GMT"), Some(Duration::ZERO), "past");
        let leap = wall("2016-12-31T23:59:00Z");
        assert_eq!(retry_after("Sat, 31 Dec 2016 23:59:60 GMT", leap), Some(Duration::from_secs(59)));
        for text in ["", "soon", "-1", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "06 Nov 1994"]
        {
            assert_eq!(after(text), None, "{text}");
        }
    }

    #[test]
    fn reads_the_headers_of_a_response() {
        let header = |name: &str| match name {
            "x-ratelimit-limit-requests" => Some("60"),
            "x-ratelimit-remaining-requests" => Some("59"),
            "x-ratelimit-reset-requests" => Some("1s"),
            "x-ratelimit-remaining-tokens" => Some("many"),
            "x-ratelimit-reset-tokens" => Some("6m0s"),
            "retry-after" => Some("2"),
            _ => None,
        };
        let headers = RateHeaders::read(header, wall("2026-11-22T10:00:00Z"));
        let requests = Told { limit: Some(60), remaining: Some(59), reset: Some(Duration::from_secs(1)) };
        let tokens = Told { limit: None, remaining: None, reset: Some(Duration::from_secs(360)) };
        assert_eq!(headers, RateHeaders { retry_after: Some(Duration::from_secs(2)), requests, tokens });
        let exact = RateHeaders::read(
            |name| if name == "retry-after-ms" { Some("1500") } else { header(name) },
            wall("2026-11-22T10:00:00Z"),
        );
        assert_eq!(exact.retry_after, Some(Duration::from_millis(1_500)));
    }

    proptest! {
        #[test]
        fn reads_strangers_bytes_without_a_fault(text in ".{0,60}") {
            let _ = (span(&text), retry_after(&text, Timestamp::from_micros(0)));
        }

        #[test]
        fn reads_what_is_nearly_right_without_a_fault(text in "(Sun|[A-Z][a-z]{2}), [0-9é]{1,2} (Nov|Feb|Dec) [0-9]{1,5} [0-9:]{0,9} (GMT|UTC)") {
            let _ = http_date(&text);
        }

        #[test]
        fn reads_every_date(seconds in 0_i64..4_000_000_000) {
            let now = Timestamp::from_micros(seconds * 1_000_000);
            let text = now.to_string();
            let (date, time) = text.split_once('T').expect("it has both");
            let parts: Vec<&str> = date.split('-').collect();
            let month = MONTHS[parts[1].parse::<usize>().expect("a number") - 1];
            let imf = format!("Mon, {} {month} {} {} GMT", parts[2], parts[0], time.trim_end_matches('Z'));
            prop_assert_eq!(http_date(&imf), Some(now));
        }
    }
}
