//! Small models: what a score costs, and what the shipped one is worth.
//!
//! ```sh
//! cargo bench --bench inference                        # everything
//! cargo bench --bench inference -- text                # the text model alone
//! cargo bench --bench inference -- trees               # tabular models alone
//! cargo bench --bench inference -- engine              # whole decisions with the text model asked for every ticket
//! cargo bench --bench inference -- tickets             # how many sample tickets go where they should
//! cargo bench --bench inference -- --test              # everything, once: does it run?
//! ```
//!
//! Exports of real models are measured, too, if they are there, beside what onnxruntime takes when it is called from Python:
//!
//! ```sh
//! tests/onnx/make
//! target/onnx/python/bin/python tests/onnx/time.py target/onnx/exports > target/onnx/times
//! FORTHWITH_ONNX_EXPORTS=target/onnx/exports FORTHWITH_ONNX_TIMES=target/onnx/times cargo bench --bench inference -- trees
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench has a clock, prints its figures and stops where it cannot go on"
)]

#[path = "inference/engine.rs"]
mod engine;
#[path = "inference/routed.rs"]
mod routed;
#[path = "inference/text.rs"]
mod text;
#[path = "tickets/mod.rs"]
#[allow(dead_code, reason = "each bench uses its part")]
mod tickets;
#[path = "inference/trees.rs"]
mod trees;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let is_test = args.iter().any(|arg| arg == "--test");
    let is_asked = |part: &str| args.iter().all(|arg| arg.starts_with("--") || arg == part);
    if is_asked("text") {
        text::run(is_test);
    }
    if is_asked("engine") {
        engine::run(is_test);
    }
    if is_asked("trees") {
        trees::run(is_test);
    }
    if is_asked("tickets") {
        routed::run();
    }
}
