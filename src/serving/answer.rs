//! What a caller gets, and waits for.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::oneshot;

use super::model::Scores;
use crate::sync::thread;
use crate::time::Alarm;

/// What came of a question to a slow model.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The model's scores, in time.
    Scored(Scores),
    /// The deadline came first, or could not be met and the model was not asked.
    Late,
    /// Too many questions waited already.
    Shed,
    /// The model failed or panicked; why.
    Failed(Arc<str>),
    /// The pool has been shut down.
    Stopped,
}

/// An answer that is waited for, on any runtime or none; at the deadline at the latest it is there. Dropping it takes the
/// question back.
#[derive(Debug)]
#[must_use = "a question whose answer nobody waits for is taken back"]
pub struct Pending(State);

#[derive(Debug)]
enum State {
    Known(Option<Answer>),
    Waiting { answer: oneshot::Receiver<Answer>, alarm: Alarm },
}

impl Pending {
    pub(super) fn known(answer: Answer) -> Self {
        Self(State::Known(Some(answer)))
    }

    pub(super) fn waiting(answer: oneshot::Receiver<Answer>, alarm: Alarm) -> Self {
        Self(State::Waiting { answer, alarm })
    }

    /// Waits on a thread that may block.
    pub fn wait(mut self) -> Answer {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut self).poll(&mut context) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl Future for Pending {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let answer = match &mut self.0 {
            // Asked again after its end, it has nothing better to say.
            State::Known(answer) => answer.take().unwrap_or(Answer::Late),
            State::Waiting { answer, alarm } => match Pin::new(answer).poll(context) {
                Poll::Ready(answer) => answer.unwrap_or(Answer::Stopped),
                Poll::Pending => match Pin::new(alarm).poll(context) {
                    Poll::Ready(()) => Answer::Late,
                    Poll::Pending => return Poll::Pending,
                },
            },
        };
        self.0 = State::Known(None);
        Poll::Ready(answer)
    }
}

/// Wakes a thread that waits.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
