//! Requests and tokens a minute, as the account at a provider allows them.
//!
//! Each is a bucket that fills evenly. Tokens are taken for the whole of what a request may use, and what it did not use is given
//! back. Giving back must not fill the bucket beyond what it would hold had only that been taken which was used; otherwise a long
//! call could be paid for by the time that it took. So the bucket remembers how full it was at most in each second of the last
//! minute, and no more is given back than had room in all that time.
//!
//! What the provider itself says, in its headers, holds besides.

use std::time::Duration;

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
    taken: Instant,
}

/// What a provider says is left, and until when.
#[derive(Clone, Copy, Debug)]
struct Quota {
    left: u64,
    until: Instant,
}

/// Fills evenly.
#[derive(Debug)]
struct Bucket {
    per_minute: i128,
    /// In parts of a 60,000,000,000th, of which as many come in a nanosecond as there are in a minute of the whole. Below zero after
    /// more was used than was taken.
    level: i128,
    at: Instant,
    /// How full it was at most in each of the last seconds; the place is the second modulo their number.
    peaks: [i128; SECONDS],
}

/// One request, or one token, in the unit of a level.
const ONE: i128 = 60_000_000_000;

/// A bucket holds as much as comes in this time: so much may be used at once after a quiet time.
const BURST: Duration = Duration::from_secs(10);

/// Seconds that a bucket remembers. A request that takes longer gets nothing back.
const SECONDS: usize = 64;

/// No provider is left alone for longer, whatever it says: a wrong header must not switch it off for a day.
const QUIET_MAX: Duration = Duration::from_secs(300);

// === impl Rate ===

impl Rate {
    /// Full buckets.
    pub(super) fn new(config: RateConfig, now: Instant) -> Self {
        let bucket = |per_minute: Option<u32>| per_minute.map(|per_minute| Bucket::new(per_minute, now));
        Self {
            requests: bucket(config.requests_per_minute),
            tokens: bucket(config.tokens_per_minute),
            told_requests: None,
            told_tokens: None,
            quiet_until: None,
            requests_out: 0,
            tokens_out: 0,
        }
    }

    /// The share of a request that may use so many tokens; or how long to wait before there may be one. Takes all of it or nothing.
    pub(super) fn try_take(&mut self, tokens: u64, now: Instant) -> Result<Share, Duration> {
        let waits = [
            self.quiet_until.map_or(Duration::ZERO, |until| until.since(now)),
            wait_of_quota(&mut self.told_requests, 1, now),
            wait_of_quota(&mut self.told_tokens, tokens, now),
            self.requests.as_mut().map_or(Duration::ZERO, |bucket| bucket.wait_for(1, now)),
            self.tokens.as_mut().map_or(Duration::ZERO, |bucket| bucket.wait_for(tokens, now)),
        ];
        let wait = waits.into_iter().max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        for (bucket, amount) in [(&mut self.requests, 1), (&mut self.tokens, tokens)] {
            if let Some(bucket) = bucket {
                bucket.take(amount, now);
            }
        }
        for (quota, amount) in [(&mut self.told_requests, 1), (&mut self.told_tokens, tokens)] {
            if let Some(quota) = quota {
                quota.left = quota.left.saturating_sub(amount);
            }
        }
        self.requests_out += 1;
        self.tokens_out = self.tokens_out.saturating_add(tokens);
        Ok(Share { tokens, taken: now })
    }

    /// A request has used so many tokens.
    pub(super) fn settle(&mut self, share: Share, tokens_used: u64, now: Instant) {
        self.come_in(&share);
        if let Some(bucket) = &mut self.tokens {
            bucket.correct(share.tokens, tokens_used, share.taken, now);
        }
    }

    /// A request was never sent.
    pub(super) fn give_back(&mut self, share: Share, now: Instant) {
        self.come_in(&share);
        for (bucket, amount) in [(&mut self.requests, 1), (&mut self.tokens, share.tokens)] {
            if let Some(bucket) = bucket {
                bucket.correct(amount, 0, share.taken, now);
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
    }

    fn come_in(&mut self, share: &Share) {
        self.requests_out = self.requests_out.saturating_sub(1);
        self.tokens_out = self.tokens_out.saturating_sub(share.tokens);
    }
}

fn quota_of(told: Told, out: u64, now: Instant) -> Option<Quota> {
    let (Some(left), Some(reset)) = (told.remaining, told.reset) else { return None };
    Some(Quota { left: left.saturating_sub(out), until: now.after(reset.min(QUIET_MAX)) })
}

fn wait_of_quota(quota: &mut Option<Quota>, amount: u64, now: Instant) -> Duration {
    match quota {
        Some(told) if now >= told.until => {
            *quota = None;
            Duration::ZERO
        }
        Some(told) if told.left < amount => told.until.since(now),
        _ => Duration::ZERO,
    }
}

// === impl Bucket ===

impl Bucket {
    fn new(per_minute: u32, now: Instant) -> Self {
        let per_minute = i128::from(per_minute.max(1));
        let mut bucket = Self { per_minute, level: 0, at: now, peaks: [0; SECONDS] };
        bucket.level = bucket.capacity();
        bucket.peaks = [bucket.level; SECONDS];
        bucket
    }

    /// At least one, whatever the rate.
    fn capacity(&self) -> i128 {
        (self.per_minute * BURST.as_nanos() as i128).max(ONE)
    }

    /// How long until so much can be taken. What is more than the bucket holds can be taken when it is full, and is owed.
    fn wait_for(&mut self, amount: u64, now: Instant) -> Duration {
        self.fill(now);
        let missing = (i128::from(amount) * ONE).min(self.capacity()) - self.level;
        if missing <= 0 {
            return Duration::ZERO;
        }
        let nanos = (missing + self.per_minute - 1) / self.per_minute;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn take(&mut self, amount: u64, now: Instant) {
        self.fill(now);
        self.level -= i128::from(amount) * ONE;
    }

    /// Of what was taken only so much was used; or more.
    fn correct(&mut self, taken: u64, used: u64, when: Instant, now: Instant) {
        self.fill(now);
        let unused = (i128::from(taken) - i128::from(used)) * ONE;
        if unused <= 0 {
            self.level += unused;
            return;
        }
        let Some(peak) = self.peaks_since(when).max() else { return };
        let back = unused.min(self.capacity() - peak).max(0);
        self.level += back;
        let (first, last) = (second(when), second(self.at));
        for nth in first..=last {
            self.peaks[place(nth)] += back;
        }
    }

    /// The peaks from that instant on; none if it is no longer remembered.
    fn peaks_since(&self, when: Instant) -> impl Iterator<Item = i128> + '_ {
        let (first, last) = (second(when), second(self.at));
        let is_known = last - first.min(last) < SECONDS as u64;
        (first..=last).take_while(move |_| is_known).map(|nth| self.peaks[place(nth)])
    }

    fn fill(&mut self, now: Instant) {
        let before = second(self.at);
        let nanos = now.since(self.at).as_nanos() as i128;
        self.level = (self.level + nanos * self.per_minute).min(self.capacity());
        self.at = self.at.max(now);
        // Between two calls it only fills, so that it never was fuller than now.
        let after = second(self.at);
        let newest = &mut self.peaks[place(before)];
        *newest = (*newest).max(self.level);
        for nth in (before + 1..=after).rev().take(SECONDS) {
            self.peaks[place(nth)] = self.level;
        }
    }
}

fn second(at: Instant) -> u64 {
    at.nanos() / 1_000_000_000
}

fn place(second: u64) -> usize {
    (second % SECONDS as u64) as usize
}
