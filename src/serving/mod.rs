//! The inference pool: models that are too slow for a turn, asked in micro-batches on threads of their own.
//!
//! A batch closes when its earliest deadline, less the time the model is known to take, comes. The room knows no customer and
//! no playbook: a text and a deadline go in, scores come out, or word that there was no time.
//!
//! | file | noun |
//! |---|---|
