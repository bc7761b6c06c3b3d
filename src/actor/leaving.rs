//! Customers on their way out of memory: found by a sweep, to be put to rest by the archive.

use std::sync::Arc;

use super::cell::Cell;
use super::house::House;

/// Cells that nobody's hand passes over meanwhile. Who is not put to rest - the archive did not take it on, could not store it,
/// or it was busy again - goes back under its keeper's care when this is dropped.
#[derive(Debug)]
pub(super) struct Leaving {
    house: Arc<House>,
    cells: Vec<Arc<Cell>>,
}

impl Leaving {
    /// Counts the cells as leaving; `None` for none.
    pub(super) fn of(house: &Arc<House>, cells: Vec<Arc<Cell>>) -> Option<Self> {
        if cells.is_empty() {
            return None;
        }
        house.occupancy.begin_leaving(cells.len());
        Some(Self { house: Arc::clone(house), cells })
    }

    /// Splits off up to so many.
    pub(super) fn next(&mut self, limit: usize) -> Option<Self> {
        let rest = self.cells.split_off(limit.min(self.cells.len()));
        let cells = std::mem::replace(&mut self.cells, rest);
        (!cells.is_empty()).then(|| Self { house: Arc::clone(&self.house), cells })
    }

    pub(super) fn cells(&self) -> &[Arc<Cell>] {
        &self.cells
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let cells = std::mem::take(&mut self.cells);
        for cell in cells.iter().filter(|cell| !cell.is_gone()) {
            self.house.keepers.adopt(cell);
        }
        self.house.occupancy.end_leaving(cells.len());
        // After the count: who is let in looks at it.
        if self.house.occupancy.is_anyone_held() {
            self.house.keepers.let_in();
        }
    }
}
