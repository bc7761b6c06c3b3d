//! The engine beside a floor: the least that anything doing the same job would have to do, driven by the same callers on the same
//! machine in the same minutes.
//!
//! Absolute figures say what this machine did today; the ratio says what the engine adds. Rounds of floor and engine take turns, so
//! that a slow minute of the machine falls on both. The loop is closed where throughput is measured: a caller makes its next call
//! when it has the answer to the last. Where large models are asked it is open: every call has its time.
//!
//! | file | noun |
//! |---|---|
//! | `subject` | the engine, started and warm |
//! | `workload` | which event of which customer comes next |
//! | `closed_loop` | callers and their clock |
//! | `in_process`, `over_http` | the engine, driven |
//! | `bare_cell`, `bare_commit` | floors |
//! | `open_loop` | calls at a steady pace |
//! | `asking` | an engine that asks large models, and their providers |
//! | `slow_agent`, `large_tier` | large models that are slow; what asking one takes |

mod asking;
mod bare_cell;
mod bare_commit;
pub(crate) mod closed_loop;
pub(crate) mod in_process;
pub(crate) mod large_tier;
mod open_loop;
pub(crate) mod over_http;
pub(crate) mod slow_agent;
pub(crate) mod subject;
mod workload;
