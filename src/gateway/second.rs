//! A second request of a call, beside one that is slow.

use std::sync::Arc;
use std::time::Duration;

use super::course::Course;
use super::hedging::Slow;
use super::roster::Model;
use crate::time::Instant;

/// A hedge is not thought of more often, where the first request is very young.
const HEDGE_STEP_MIN: Duration = Duration::from_millis(1);

impl Course {
    /// When a second request is thought of.
    pub(super) fn plan_hedge(&mut self, model: &Model, now: Instant) {
        if self.is_hedged {
            return;
        }
        let delay = model.provider.config.hedge.delay(&model.learned().latency, now);
        let at = delay.map(|delay| now.after(delay)).filter(|at| *at < self.deadline);
        self.hedge = at.map(|at| self.desk.timer.at(at));
    }

    /// Sends a second request beside the slow one, to the next target or to the same, if that is worth it.
    pub(super) async fn hedge_now(&mut self) {
        let [slow] = self.attempts.as_mut_slice() else { return };
        let (target, model) = (slow.target, Arc::clone(slow.model()));
        let Some(since) = slow.permit().since() else { return };
        if !self.may_send_more() {
            return;
        }
        let order = self.order.clone();
        let start = order.iter().position(|known| *known == target).map_or(0, |at| at + 1);
        for nth in 0..order.len() {
            let other = order[(start + nth) % order.len()];
            if !self.closed.contains(&other) && self.hedge_with((&model, since), other).await {
                self.is_hedged = true;
                return;
            }
        }
        self.think_again(since);
    }

    /// A second request is not worth it, or may not be sent: it is thought of again when the first has taken half as long again. As
    /// soon as that is longer than ever it may well be.
    fn think_again(&mut self, since: Instant) {
        let waited = self.desk.clock.instant().since(since).max(HEDGE_STEP_MIN);
        let at = since.after(waited.mul_f64(1.5));
        self.hedge = (at < self.deadline).then(|| self.desk.timer.at(at));
    }

    async fn hedge_with(&mut self, (slow, since): (&Arc<Model>, Instant), target: usize) -> bool {
        let Some(other) = self.model(target).cloned() else { return false };
        let now = self.desk.clock.instant();
        let left = self.deadline.since(now);
        if !is_worth_it((slow, &other), now.since(since), left, now) {
            return false;
        }
        let Some(hedge) = other.provider.guards().hedges.try_spend() else { return false };
        let is_sent = match self.desk.admit(&self.question, target, left, true) {
            Ok(permit) => self.start(target, permit, true).await.is_ok(),
            Err(_) => false,
        };
        if !is_sent {
            other.provider.guards().hedges.give_back(hedge);
        }
        is_sent
    }
}

/// Whether a second request makes an answer in time enough likelier.
fn is_worth_it((slow, other): (&Arc<Model>, &Arc<Model>), waited: Duration, left: Duration, now: Instant) -> bool {
    let config = &other.provider.config.hedge;
    if Arc::ptr_eq(slow, other) {
        let learned = slow.learned();
        return config.is_worth_it(Slow { asked: &learned.latency, waited, other: &learned.latency, left }, now);
    }
    // Only the gateway's thread ever holds both locks.
    let (asked, other) = (slow.learned(), other.learned());
    config.is_worth_it(Slow { asked: &asked.latency, waited, other: &other.latency, left }, now)
}
