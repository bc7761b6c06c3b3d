//! Agents: what a large model is asked, and what is made of its answer.
//!
//! Pure: values go in, the bytes of a prompt come out, the same for the same values; a text comes back, and either it is an answer
//! of the asked form or it says why not. Who is called, and when, is the gateway's business; whose word is taken, the decider's.
//!
//! | file | noun |
//! |---|---|
//! | `question` | everything a large model is asked with |
//! | `target` | which model, of which provider |
//! | `format` | the form of the answer |
//! | `schema` | the form as a JSON Schema |
//! | `reading` | an answer read amid a model's words |
//! | `template` | the words around an agent's inputs |
//! | `prompt` | a prompt, assembled |
//! | `offer` | what may be chosen, in words |
//! | `untrusted` | texts of others, made safe to stand in a prompt |
//! | `cutting`, `tokens` | keeping a prompt within its bound |
//! | `spoken` | values as a prompt says them |
//! | `reply` | what came of a question |

mod cutting;
mod format;
#[cfg(test)]
mod format_tests;
#[cfg(test)]
pub(crate) mod injection_tests;
mod offer;
mod prompt;
#[cfg(test)]
mod prompt_tests;
mod question;
mod reading;
mod reply;
mod schema;
mod spoken;
mod target;
mod template;
mod tokens;
mod untrusted;

pub use format::{Answer, AnswerField, AnswerFormat, Misfit};
pub use prompt::{NoRoom, Prompt, Shot, Wording};
pub use question::{Budget, CachePolicy, Message, Question, Role, Sharing};
pub use reply::{Call, Reply, Silence, Source};
pub use spoken::spoken;
pub use target::{Choose, Target};
pub use template::{Input, InputKind, Template, TemplateFault, placeholder};
