//! The whole data plane from its configuration, with Pingora as its proxy's engine.

#[path = "gateway/main.rs"]
mod gateway;
