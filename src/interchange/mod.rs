//! Decision tables of other makers: DMN, JDM and Excel in, DMN and JDM out.
//!
//! A table becomes a [`Sheet`], which belongs to no format: columns, and cells as unary tests and literals. What a cell of another
//! format says is written in our words only where both mean the same; every other cell is named, with its text and the reason.
//! Nothing is guessed.
//!
//! The room knows texts and bytes. It reads no file, knows no playbook and decides nothing.
//!
//! | file | noun |
//! |---|---|
//! | `sheet` | a table of no format; faults |
//! | `literal`, `unary` | what cells say |
//! | `zone` | the zone of dates that bring none |
//! | `names` | which of our names a column has |
//! | `dmn`, `dmn_write` | DMN |
//! | `feel` | its expressions |
//! | `jdm`, `jdm_write` | JDM |
//! | `zen` | its expressions |
//! | `xlsx` | Excel workbooks |
//! | `csv_read`, `csv_write`, `our_cell` | our own tables |
//! | `ranking` | the importance of outputs |
//! | `playbook_lines` | how a playbook names a table |
//! | `scan` | a cursor over a cell |

mod csv_read;
mod csv_write;
mod dmn;
mod dmn_write;
mod feel;
mod jdm;
mod jdm_write;
mod literal;
mod names;
mod our_cell;
mod playbook_lines;
mod ranking;
mod scan;
mod sheet;
mod unary;
mod xlsx;
mod zen;
mod zone;

#[cfg(test)]
mod tests;

pub use csv_read::{OurTable, read as read_csv};
pub use csv_write::{Untranslatable, Written, write as write_csv};
pub use dmn::read as read_dmn;
pub use dmn_write::write as write_dmn;
pub use jdm::read as read_jdm;
pub use jdm_write::write as write_jdm;
pub use literal::{Kind, Literal};
pub use names::Naming;
pub use playbook_lines::playbook_lines;
pub use ranking::{Ranked, rank_outputs};
pub use sheet::{
    Aggregation, CELL_BYTES_MAX, CELLS_MAX, COLUMNS_MAX, Cell, Fault, HitPolicy, Input, Model, Output, ROWS_MAX, Row,
    Sheet, TABLES_MAX, Untranslated,
};
pub use unary::{Order, Range, Setting, Test, TextTest};
pub use xlsx::{Workbook, Worksheet};
pub use zone::Zone;
