//! Requests and tokens a minute, as the account at a provider allows them.
//!
//! Each is a bucket. Tokens are taken for the whole of what a request may use, and what it did not use is given back. What the
//! provider itself says, in its headers, holds besides.

use std::time::Duration;

use super::bucket::{Bucket, Taken};
use super::rate_headers::{RateHeaders, Told};
use crate::time::Instant;

/// What is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateConfig {
    /// Requests a minute; `None` for any number.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute, of prompts and answers; `None` for any number.
    pub tokens_per_minute: Option<u32>,
}

/// The rates of one provider, or of one of its models.
#[derive(Debug)]
pub(super) struct Rate {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    told_requests: Option<Quota>,
    told_tokens: Option<Quota>,
    /// When the provider last said what is left, or was last asked in spite of it.
    tried: Option<Instant>,
    /// It is asked in spite of what it said so often, as that may be wrong.
    try_every: Duration,
    /// The provider has asked for quiet until then.
    quiet_until: Option<Instant>,
    /// Requests that are under way, and the tokens that were taken for them: a provider may not have counted them yet.
    requests_out: u64,
    tokens_out: u64,
}

/// One request's share of the rates. To be handed back to [`Rate::settle`] or [`Rate::give_back`].
#[derive(Debug)]
#[must_use = "a share that is not handed back counts in full"]
pub(super) struct Share {
    tokens: u64,
    of_requests: Option<Taken>,
    of_tokens: Option<Taken>,
}

/// What a provider says is left, and until when.
#[derive(Clone, Copy, Debug)]
struct Quota {
    /// Without what is under way. Below zero if the provider said that less is left than is under way, so that whatever of that is
    /// given back unsent is added to what it said and to no more.
    left: i128,
    until: Instant,
}

/// No provider is left alone for longer, whatever it says: a wrong header must not switch it off for a day.
const QUIET_MAX: Duration = Duration::from_secs(300);

// === impl Rate ===

impl Rate {
    /// Full buckets. What the provider itself says is left is put to the test every `try_every`.
    pub(super) fn new(config: RateConfig, try_every: Duration, now: Instant) -> Self {
        let bucket = |per_minute: Option<u32>| per_minute.map(|per_minute| Bucket::new(per_minute, now));
        Self {
            requests: bucket(config.requests_per_minute),
            tokens: bucket(config.tokens_per_minute),
            told_requests: None,
            told_tokens: None,
            tried: None,
            try_every,
            quiet_until: None,
            requests_out: 0,
            tokens_out: 0,
        }
    }

    /// The share of a request that may use so many tokens; or how long to wait before there may be one. Takes all of it or nothing.
    pub(super) fn try_take(&mut self, tokens: u64, now: Instant) -> Result<Share, Duration> {
        let ours = [
            self.quiet_until.map_or(Duration::ZERO, |until| until.since(now)),
            self.requests.as_mut().map_or(Duration::ZERO, |bucket| bucket.wait_for(1, now)),
            self.tokens.as_mut().map_or(Duration::ZERO, |bucket| bucket.wait_for(tokens, now)),
        ];
        let told =
            wait_of_quota(&mut self.told_requests, 1, now).max(wait_of_quota(&mut self.told_tokens, tokens, now));
        let wait = ours.into_iter().max().unwrap_or_default().max(self.wait_to_try(told, now));
        if !wait.is_zero() {
            return Err(wait);
        }
        if !told.is_zero() {
            self.tried = Some(now);
        }
        let of_requests = self.requests.as_mut().map(|bucket| bucket.take(1, now));
        let of_tokens = self.tokens.as_mut().map(|bucket| bucket.take(tokens, now));
        for (quota, amount) in [(&mut self.told_requests, 1), (&mut self.told_tokens, tokens)] {
            if let Some(quota) = quota {
                quota.left -= i128::from(amount);
            }
        }
        self.requests_out += 1;
        self.tokens_out = self.tokens_out.saturating_add(tokens);
        Ok(Share { tokens, of_requests, of_tokens })
    }

    /// A request has used so many tokens.
    #[expect(clippy::needless_pass_by_value, reason = "what is handed back is gone")]
    pub(super) fn settle(&mut self, share: Share, tokens_used: u64, now: Instant) {
        self.come_in(&share);
        if let (Some(bucket), Some(taken)) = (&mut self.tokens, share.of_tokens) {
            bucket.correct(taken, tokens_used, now);
        }
    }

    /// A request was never sent.
    #[expect(clippy::needless_pass_by_value, reason = "what is handed back is gone")]
    pub(super) fn give_back(&mut self, share: Share, now: Instant) {
        self.come_in(&share);
        for (bucket, taken) in [(&mut self.requests, share.of_requests), (&mut self.tokens, share.of_tokens)] {
            if let (Some(bucket), Some(taken)) = (bucket, taken) {
                bucket.correct(taken, 0, now);
            }
        }
        // It was taken from what was left then, or counted as under way when the provider said what is left since.
        for (quota, amount) in [(&mut self.told_requests, 1), (&mut self.told_tokens, share.tokens)] {
            if let Some(quota) = quota {
                quota.left += i128::from(amount);
            }
        }
    }

    /// Takes the provider at its word.
    pub(super) fn hear(&mut self, headers: &RateHeaders, now: Instant) {
        if let Some(quiet) = headers.retry_after {
            let until = now.after(quiet.min(QUIET_MAX));
            self.quiet_until = Some(self.quiet_until.map_or(until, |before| before.max(until)));
        }
        // What is under way may not have been counted when this was written.
        if let Some(quota) = quota_of(headers.requests, self.requests_out, now) {
            self.told_requests = Some(quota);
        }
        if let Some(quota) = quota_of(headers.tokens, self.tokens_out, now) {
            self.told_tokens = Some(quota);
        }
        if headers.requests.remaining.is_some() || headers.tokens.remaining.is_some() {
            self.tried = Some(now);
        }
    }

    /// How long nobody is asked because the provider says that too little is left. Its word may be wrong, and who asks nobody hears
    /// no better one: where nothing is under way, one request goes out now and then.
    fn wait_to_try(&self, told: Duration, now: Instant) -> Duration {
        let last = self.tried.filter(|_| self.requests_out == 0);
        last.map_or(told, |last| told.min(last.after(self.try_every).since(now)))
    }

    fn come_in(&mut self, share: &Share) {
        self.requests_out = self.requests_out.saturating_sub(1);
        self.tokens_out = self.tokens_out.saturating_sub(share.tokens);
    }
}

fn quota_of(told: Told, out: u64, now: Instant) -> Option<Quota> {
    let (Some(left), Some(reset)) = (told.remaining, told.reset) else { return None };
    Some(Quota { left: i128::from(left) - i128::from(out), until: now.after(reset.min(QUIET_MAX)) })
}

fn wait_of_quota(quota: &mut Option<Quota>, amount: u64, now: Instant) -> Duration {
    match quota {
        Some(told) if now >= told.until => {
            *quota = None;
            Duration::ZERO
        }
        Some(told) if told.left < i128::from(amount) => told.until.since(now),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Timestamp;
    use crate::time::Clock;

    const SECOND: Duration = Duration::from_secs(1);

    fn start() -> Instant {
        Clock::manual(Timestamp::from_micros(1_000_000_000)).instant()
    }

    fn rate(requests: Option<u32>, tokens: Option<u32>) -> Rate {
        Rate::new(RateConfig { requests_per_minute: requests, tokens_per_minute: tokens }, SECOND / 4, start())
    }

    #[test]
    fn takes_a_burst_and_then_as_they_come() {
        let (mut rate, now) = (rate(Some(60), None), start());
        for _ in 0..10 {
            rate.give_no_back(now);
        }
        assert_eq!(rate.try_take(0, now).err(), Some(SECOND));
        assert_eq!(rate.try_take(0, now.after(SECOND / 4)).err(), Some(SECOND * 3 / 4));
        assert!(rate.try_take(0, now.after(SECOND)).is_ok());
    }

    impl Rate {
        /// Takes a share that counts in full.
        fn give_no_back(&mut self, now: Instant) {
            let share = self.try_take(0, now).expect("there is one");
            self.settle(share, 0, now);
        }
    }

    #[test]
    fn what_was_not_used_is_given_back_and_what_was_used_beyond_is_owed() {
        let (mut rate, now) = (rate(None, Some(6_000)), start());
        let share = rate.try_take(1_000, now).expect("the bucket is full");
        assert_eq!(rate.try_take(1, now).err(), Some(SECOND / 100), "empty");
        rate.settle(share, 200, now);
        let share = rate.try_take(800, now).expect("800 came back");
        rate.settle(share, 900, now);
        assert_eq!(rate.try_take(1, now).err(), Some(SECOND + SECOND / 100), "100 are owed");
    }

    #[test]
    fn takes_all_or_nothing() {
        let (mut rate, now) = (rate(Some(6), Some(600)), start());
        assert_eq!(rate.try_take(200, now).err(), None, "more than the bucket holds goes when it is full");
        assert_eq!(rate.try_take(1, now).err(), Some(10 * SECOND + SECOND / 10));
        let later = now.after(10 * SECOND + SECOND / 10);
        let share = rate.try_take(1, later).expect("its request was not taken before");
        rate.give_back(share, later);
        assert!(rate.try_take(1, later).is_ok(), "both came back");
    }

    #[test]
    fn a_long_call_is_not_paid_for_by_the_time_that_it_took() {
        let (mut rate, now) = (rate(None, Some(6_000)), start());
        let long = rate.try_take(1_000, now).expect("the bucket is full");
        let now = now.after(10 * SECOND);
        let all = rate.try_take(1_000, now).expect("it is full again");
        rate.settle(long, 0, now);
        assert!(rate.try_take(1, now).is_err(), "what it did not use would have run over");
        rate.settle(all, 1_000, now);
    }

    #[test]
    fn what_two_calls_did_not_use_ran_over_together() {
        let (mut rate, now) = (rate(None, Some(6_000)), start());
        let (first, second) = (rate.try_take(500, now).expect("half"), rate.try_take(500, now).expect("the rest"));
        let now = now.after(5 * SECOND);
        let third = rate.try_take(500, now).expect("half came");
        rate.settle(first, 0, now);
        rate.settle(second, 0, now);
        // Had neither been taken, the bucket would have been full before the third, and would be half full now.
        assert_eq!(rate.try_take(501, now).err(), Some(SECOND / 100));
        rate.settle(third, 500, now);
    }

    #[test]
    fn is_quiet_as_long_as_the_provider_asks_but_not_for_days() {
        let (mut rate, now) = (rate(None, None), start());
        let quiet = |seconds| RateHeaders { retry_after: Some(seconds * SECOND), ..RateHeaders::default() };
        rate.hear(&quiet(3), now);
        rate.hear(&quiet(1), now);
        assert_eq!(rate.try_take(1, now.after(SECOND)).err(), Some(2 * SECOND), "the longer holds");
        assert!(rate.try_take(1, now.after(3 * SECOND)).is_ok());
        rate.hear(&quiet(1_000_000), now);
        assert!(rate.try_take(1, now.after(QUIET_MAX)).is_ok());
    }

    #[test]
    fn takes_no_more_than_the_provider_says_is_left() {
        let (mut rate, now) = (rate(None, None), start());
        let out = rate.try_take(100, now).expect("nothing is known");
        let told = |remaining| Told { limit: None, remaining: Some(remaining), reset: Some(2 * SECOND) };
        rate.hear(&RateHeaders { tokens: told(500), requests: told(3), ..RateHeaders::default() }, now);
        // One request with 100 tokens is under way and may not have been counted.
        assert_eq!(rate.try_take(401, now).err(), Some(2 * SECOND));
        assert!(rate.try_take(300, now).is_ok());
        assert!(rate.try_take(100, now).is_ok());
        assert_eq!(rate.try_take(0, now.after(SECOND)).err(), Some(SECOND), "two more requests and no third");
        assert!(rate.try_take(1_000, now.after(2 * SECOND)).is_ok());
        rate.settle(out, 100, now);
    }

    fn left(remaining: u64) -> RateHeaders {
        let told = Told { limit: None, remaining: Some(remaining), reset: Some(60 * SECOND) };
        RateHeaders { requests: told, ..RateHeaders::default() }
    }

    #[test]
    fn what_was_never_sent_is_still_left() {
        let (mut rate, now) = (rate(None, None), start());
        let out = rate.try_take(0, now).expect("nothing is known");
        rate.hear(&left(2), now);
        for _ in 0..10 {
            let share = rate.try_take(0, now).expect("one is left beside the one under way");
            assert!(rate.try_take(0, now).is_err());
            rate.give_back(share, now);
        }
        // Taken before the provider said what is left, and given back after it.
        let early = rate.try_take(0, now).expect("one is left");
        rate.hear(&left(1), now);
        rate.give_back(early, now);
        assert!(rate.try_take(0, now).is_err(), "the one that is left is under way");
        rate.give_back(out, now);
        assert!(rate.try_take(0, now).is_ok(), "it was not sent either");
        assert!(rate.try_take(0, now).is_err());
    }

    #[test]
    fn a_provider_that_says_nothing_is_left_is_asked_now_and_then() {
        let (mut rate, now) = (rate(None, None), start());
        rate.hear(&left(0), now);
        assert_eq!(rate.try_take(0, now).err(), Some(SECOND / 4));
        let now = now.after(SECOND / 4);
        let share = rate.try_take(0, now).expect("its word is put to the test");
        let later = now.after(SECOND);
        assert!(rate.try_take(0, later).is_err(), "one is under way");
        rate.settle(share, 0, later);
        let share = rate.try_take(0, later).expect("the next");
        rate.settle(share, 0, later);
        assert_eq!(rate.try_take(0, later).err(), Some(SECOND / 4), "one each time");
        rate.hear(&RateHeaders { retry_after: Some(5 * SECOND), ..RateHeaders::default() }, later);
        assert_eq!(rate.try_take(0, later.after(SECOND)).err(), Some(4 * SECOND), "whoever asks for quiet has it");
        rate.hear(&left(7), later);
        assert!(rate.try_take(0, later.after(5 * SECOND)).is_ok());
    }

    /// A request at a moment: so many tokens taken, so many used, so long under way in milliseconds; and how long until the next.
    type Request = (u64, u64, u64, u64);

    fn requests() -> impl Strategy<Value = Vec<Request>> {
        let took = prop_oneof![3 => 0_u64..3_000, 1 => 0_u64..90_000];
        let pause = prop_oneof![3 => 0_u64..200, 1 => 0_u64..20_000];
        prop::collection::vec((0_u64..1_500, 0_u64..1_500, took, pause), 1..200)
    }

    proptest! {
        #[test]
        fn no_window_of_a_minute_sees_more_than_a_minutes_worth_and_a_burst(requests in requests()) {
            const PER_MINUTE: u64 = 6_000;
            let mut rate = rate(Some(120), Some(PER_MINUTE as u32));
            let start = start();
            let mut at_ms = 0;
            let mut out: Vec<(u64, Share, u64)> = Vec::new();
            let mut used: Vec<(u64, u64)> = Vec::new();
            for (taken, of_it, took, pause) in requests {
                at_ms += pause;
                out.sort_by_key(|(ends, ..)| *ends);
                while out.first().is_some_and(|(ends, ..)| *ends <= at_ms) {
                    let (ends, share, tokens) = out.remove(0);
                    rate.settle(share, tokens, start.after(Duration::from_millis(ends)));
                }
                let now = start.after(Duration::from_millis(at_ms));
                match rate.try_take(taken, now) {
                    Ok(share) => {
                        used.push((at_ms, of_it.min(taken)));
                        out.push((at_ms + took, share, of_it.min(taken)));
                    }
                    Err(wait) => {
                        prop_assert!(wait <= Duration::from_secs(40));
                        let ready = now.after(wait);
                        // It does not say too much: a moment earlier there was none.
                        prop_assert!(rate.try_take(taken, ready.before(Duration::from_micros(1))).is_err());
                        at_ms += u64::try_from(wait.as_millis()).expect("it is short") + 1;
                    }
                }
            }
            for (from, _) in &used {
                let window: Vec<&(u64, u64)> = used.iter().filter(|(at, _)| (*from..from + 60_000).contains(at)).collect();
                let tokens: u64 = window.iter().map(|(_, tokens)| tokens).sum();
                // The last may be larger than the bucket, which it then owes.
                prop_assert!(tokens <= PER_MINUTE + 1_000 + 500, "{} tokens in a minute", tokens);
                prop_assert!(window.len() <= 120 + 20, "{} requests in a minute", window.len());
            }
        }

        #[test]
        fn what_is_given_back_at_once_can_be_taken_again(tokens in 0_u64..1_000, used in 0_u64..1_000, pause in 0_u64..9_000) {
            let (mut rate, now) = (rate(None, Some(6_000)), start());
            let used = used.min(tokens);
            let share = rate.try_take(tokens, now).expect("the bucket is full");
            rate.settle(share, used, now);
            let later = now.after(Duration::from_millis(pause));
            let left = (1_000 - used + pause / 10).min(1_000);
            prop_assert!(rate.try_take(left, later).is_ok());
            prop_assert!(rate.try_take(2, later).is_err());
        }
    }
}
