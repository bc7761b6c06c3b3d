//! Purposes and consents as a library's user has them.
