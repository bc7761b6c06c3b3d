//! Who says by which terms a record is searched.

use std::fmt;

use super::super::{Frame, JournalError};
use crate::domain::{Term, Timestamp};

/// Says by which terms records are searched. The journal does not know what they mean.
pub trait Terms: fmt::Debug + Send + Sync {
    /// Changes when the same records get other terms: what was made under another version is made again.
    fn version(&self) -> u32;

    /// Hands on the terms of a record. An error says that it cannot be told now, and may be told later.
    fn describe(&self, seq: u64, frame: &Frame<'_>, each: &mut dyn FnMut(Term)) -> Result<Described, JournalError>;
}

/// What else is known of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Described {
    /// It is about something that arrived.
    Arrived(Timestamp),
    /// It is about nothing that arrived.
    Timeless,
    /// It cannot be read, now or later.
    Unreadable,
}
