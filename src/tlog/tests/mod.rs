//! The transparency log against public test vectors, and by properties.

mod notes;
mod proofs;
mod vectors;
