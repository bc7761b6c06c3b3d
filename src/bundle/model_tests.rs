//! Tests of models in bundles.
