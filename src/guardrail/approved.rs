//! The proof that something passed the guardrail.

/// A value that passed the guardrail's checks. There is no other way to make one:
///
/// ```compile_fail
/// use forthwith::guardrail::Approved;
/// let smuggled = Approved { value: "a discount of 100 %" };
/// ```
///
/// while a value that passed can be read by anyone:
///
/// ```
/// use forthwith::guardrail::Approved;
/// fn show(outcome: &Approved<&str>) -> usize {
///     outcome.get().len()
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Approved<T> {
    value: T,
}

impl<T> Approved<T> {
    /// Only the checks of this room approve.
    pub(super) fn new(value: T) -> Self {
        Self { value }
    }

    /// What was approved.
    #[inline]
    pub fn get(&self) -> &T {
        &self.value
    }
}
