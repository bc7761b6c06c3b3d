//! Rows of numbers that a model is fitted to: sparse ones, of texts, and dense ones, of sentence embeddings.

/// Rows of features.
pub trait Rows {
    /// How many rows there are.
    fn len(&self) -> usize;

    /// How many columns each has.
    fn columns(&self) -> usize;

    /// The features of a row that are not zero, each with its column, always in the same order.
    fn entries(&self, row: usize) -> impl Iterator<Item = (usize, f32)>;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Rows of which most features are zero.
#[derive(Clone, Debug, Default)]
pub struct SparseRows {
    columns: usize,
    ends: Vec<usize>,
    entries: Vec<(u32, f32)>,
}

impl SparseRows {
    /// No rows yet, of so many columns.
    pub fn new(columns: usize) -> Self {
        Self { columns, ends: Vec::new(), entries: Vec::new() }
    }

    /// Appends a row.
    ///
    /// # Panics
    /// When a column is beyond those that were named.
    pub fn push(&mut self, entries: impl IntoIterator<Item = (u32, f32)>) {
        let start = self.entries.len();
        self.entries.extend(entries);
        let is_within = |(column, _): &(u32, f32)| (*column as usize) < self.columns;
        assert!(self.entries[start..].iter().all(is_within), "a column of the rows");
        self.ends.push(self.entries.len());
    }
}

impl Rows for SparseRows {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn entries(&self, row: usize) -> impl Iterator<Item = (usize, f32)> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        self.entries[start..self.ends[row]].iter().map(|(column, value)| (*column as usize, *value))
    }
}

/// Rows of which every feature is given.
#[derive(Clone, Copy, Debug)]
pub struct DenseRows<'r> {
    columns: usize,
    values: &'r [f32],
}

impl<'r> DenseRows<'r> {
    /// Rows that lie one after the other.
    ///
    /// # Panics
    /// When the last row is not whole, or there are no columns.
    pub fn new(columns: usize, values: &'r [f32]) -> Self {
        assert!(columns > 0 && values.len().is_multiple_of(columns), "whole rows");
        Self { columns, values }
    }

    /// A row.
    pub fn row(&self, row: usize) -> &'r [f32] {
        &self.values[row * self.columns..][..self.columns]
    }
}

impl Rows for DenseRows<'_> {
    fn len(&self) -> usize {
        self.values.len() / self.columns
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn entries(&self, row: usize) -> impl Iterator<Item = (usize, f32)> {
        self.values[row * self.columns..][..self.columns].iter().copied().enumerate()
    }
}
