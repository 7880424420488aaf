//! Doorward: a reverse-proxy authorization sidecar. One line per room, in reading order.

// The one pipeline behind every door: a world, a call and a time → a verdict. Read it first.
pub mod authorize;
// What policies mean: documents → compiled, indexed policies → decisions.
pub mod policy;
// Method and path → operation: feature, targets, body, response, dates.
pub mod api_map;
// Drops items and members of a JSON stream in bounded memory.
pub mod json_filter;
// Bearer credential and keys → claims.
pub mod token;
// The snapshot in force and the world a call is judged by.
pub mod snapshot;
// What all doors have in common: asking, refusing, counting.
pub mod door;
// The reverse proxy, on hyper.
pub mod proxy;
// The same door as a Pingora `ProxyHttp`.
#[cfg(feature = "pingora")]
pub mod pingora;
// nginx, Traefik, Caddy, HAProxy, Envoy's HTTP ext_authz; AuthZEN.
pub mod forward_auth;
// The operator's door: health, readiness, metrics, status.
pub mod admin;
// Background work: snapshots, key sets, verified tokens.
pub mod sources;
// The one client for key sets and snapshots.
pub mod http_client;
// The server under doors that are made with the HTTP framework.
pub mod http_server;
// Metrics, decision log, clock.
pub mod observe;
// The configuration: file and environment → checked values.
pub mod config;
// What the control plane remembers: SQLite, PostgreSQL.
pub mod store;
// The control plane: Identity, Access, Insights, tokens, console; judged by our own engine.
pub mod control;
// Envoy's services: ext_authz and ext_proc, gRPC.
pub mod envoy;
// Composition root: configuration → running doors.
pub mod gateway;
// Everything in one process on loopback, to be looked at.
pub mod demo;
// Conformance cases, run through the pipeline.
pub mod cases;
// One file per command.
pub mod cli;
