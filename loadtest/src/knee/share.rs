//! How often something happens, with the interval of it.

use serde::{Deserialize, Serialize};

/// So many of so many, with the interval that the true share lies in with a probability of 95 %.
///
/// The interval is Wilson's: unlike the plain one it is right for few cases, and for all or none of them.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Share {
    pub(crate) of: u32,
    pub(crate) held: u32,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// The normal quantile of 97.5 %.
const Z: f64 = 1.959_964;

impl Share {
    pub(crate) fn new(held: u32, of: u32) -> Self {
        if of == 0 {
            return Self { of, held, low: 0.0, high: 1.0 };
        }
        let (n, share) = (f64::from(of), f64::from(held) / f64::from(of));
        let middle = share + Z * Z / (2.0 * n);
        let reach = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        let whole = 1.0 + Z * Z / n;
        Self { of, held, low: ((middle - reach) / whole).max(0.0), high: ((middle + reach) / whole).min(1.0) }
    }

    /// Whether it is surely more often than not.
    pub(crate) fn is_mostly(&self) -> bool {
        self.low > 0.5
    }

    /// Whether it is surely less often than not.
    pub(crate) fn is_rarely(&self) -> bool {
        self.high < 0.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_as_in_the_tables() {
        // Newcombe 1998, and the usual example of nine of ten.
        for (held, of, low, high) in
            [(9, 10, 0.596, 0.982), (81, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611), (15, 148, 0.0624, 0.1605)]
        {
            let share = Share::new(held, of);
            assert!((share.low - low).abs() < 6e-4 && (share.high - high).abs() < 6e-4, "{share:?}");
        }
        assert!(Share::new(5, 5).is_mostly() && Share::new(0, 5).is_rarely());
        assert!(!Share::new(3, 5).is_mostly() && !Share::new(0, 0).is_rarely());
    }
}
