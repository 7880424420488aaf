//! The control plane as a server: its rooms put together, bound and served.
