//! Addresses for programs that are told where to listen, and of those who are not there.

#![allow(unreachable_pub, reason = "nouns are shared")]

use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use std::sync::Mutex;

/// Sockets that are bound and never listen: the system gives their ports to nobody else, and lets a program
/// that names one have it.
static KEPT: Mutex<Vec<Socket>> = Mutex::new(Vec::new());

/// An address that the system chose, where nobody listens until the program does that is told of it.
pub fn reserved() -> SocketAddr {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // As the program's own will be: of two such sockets that do not both listen, neither is in the other's way.
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    KEPT.lock().unwrap().push(socket);
    address
}
