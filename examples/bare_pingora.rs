//! A bare Pingora proxy, to measure beside: it forwards everything and decides nothing.
//!
//! `bare_pingora LISTEN UPSTREAM`, both as address and port; one thread.

use anyhow::{Context, Result};
use async_trait::async_trait;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};
use std::net::SocketAddr;

struct Forward(SocketAddr);

#[async_trait]
impl ProxyHttp for Forward {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora_core::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0, false, String::new())))
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().context("no address to listen on given")?;
    let upstream = arguments.next().context("no upstream given")?.parse()?;
    let conf = ServerConf { threads: 1, grace_period_seconds: Some(0), graceful_shutdown_timeout_seconds: Some(1), ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Forward(upstream));
    service.add_tcp(&listen);
    server.add_service(service);
    server.run_forever();
}
