//! Every conformance case through the door on Pingora, by HTTP/1.1 and by HTTP/2.

#[path = "cases_through_the_proxy.rs"]
mod cases;
