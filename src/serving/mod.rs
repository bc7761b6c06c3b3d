//! The inference pool: models that are too slow for a turn, asked in micro-batches on threads of their own.
//!
//! A batch closes when its earliest deadline, less the time the model is known to take, comes. The room knows no customer and
//! no playbook: a text and a deadline go in, scores come out, or word that there was no time.
//!
//! A question costs its caller one lock, one alarm and three small allocations; what the models take is theirs.
//!
//! | file | noun |
//! |---|---|
//! | `model` | what a slow model is to the pool: texts in, scores or a fault out |
//! | `answer` | what a caller gets, and waits for |
//! | `config` | the bounds |
//! | `pool` | the pool, its handle, its threads |
//! | `roster` | the models that are registered, and which of them is due |
//! | `queue` | the questions to one model: which may wait, when the batch closes, who is in it |
//! | `service_time` | what batches of a model take: learned, and unlearned within seconds |
//! | `metrics` | the series |
//! | `neural` | neural models as slow models (feature `neural`) |

mod answer;
mod config;
mod metrics;
mod model;
#[cfg(feature = "neural")]
mod neural;
mod pool;
mod queue;
mod roster;
mod service_time;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Pending};
pub use config::Config;
pub use metrics::Metrics;
pub use model::{ModelFault, Scores, SlowModel};
pub use pool::{ModelHandle, Pool};
