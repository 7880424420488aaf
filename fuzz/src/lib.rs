//! The pure rooms of the project, built from their own sources, and the nouns that the targets are
//! written with. Built so, they need no server, no database and no runtime, and a build takes a
//! fraction of the whole's.

#![allow(dead_code, missing_docs, reason = "of the rooms only what a target asks for is used here")]

#[path = "../../src/api_map/mod.rs"]
pub mod api_map;
#[path = "../../src/authorize/mod.rs"]
pub mod authorize;
#[path = "../../src/json_filter/mod.rs"]
pub mod json_filter;
#[path = "../../src/policy/mod.rs"]
pub mod policy;
#[path = "../../src/snapshot.rs"]
pub mod snapshot;
#[path = "../../src/token/mod.rs"]
pub mod token;

/// One small world, and calls into it.
pub mod calls;
/// Escapes, read the slow way.
pub mod escapes;
/// Filters with their verdicts, run in pieces, and the slow filter they are held against.
pub mod filtering;
/// JSON, read a second time by another parser.
pub mod json;
/// Routes, found the slow way.
pub mod routes;
/// An issuer, its key, and tokens that it signed.
pub mod signing;
