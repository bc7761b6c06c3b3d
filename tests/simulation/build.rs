//! Has the sources compiled over simulated threads, locks and atomics.

#![allow(clippy::print_stdout, reason = "this is how a build script talks to cargo")]

fn main() {
    println!("cargo::rustc-cfg=simulation");
    println!("cargo::rustc-check-cfg=cfg(feature, values(\"http\", \"cli\", \"neural\", \"large-model\", \"otel\"))");
    println!("cargo::rerun-if-changed=build.rs");
}
