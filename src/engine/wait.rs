//! Waiting no longer than to an alarm, on any runtime.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use crate::time::Alarm;

/// The alarm rang first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expired;

/// The future's output, unless the alarm rings first. What is ready when the alarm rings still counts.
pub(super) async fn within<F: Future>(future: F, alarm: Alarm) -> Result<F::Output, Expired> {
    let mut future = pin!(future);
    let mut alarm = pin!(alarm);
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(&mut alarm).poll(context).map(|()| Err(Expired))
    })
    .await
}
