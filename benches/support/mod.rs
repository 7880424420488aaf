//! The nouns of the benches: snapshots of any size, a caller, and answers like LUSID's.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "nouns are shared, and no bench uses every one")]

pub mod answers;
pub mod snapshots;
pub mod world;
