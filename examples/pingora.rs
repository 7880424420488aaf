//! Doorward in a Pingora service of one's own: everything that `doorward serve` runs but its proxy, and
//! the door in a server that Pingora builds, listens with and stops.
//!
//! `cargo run --features pingora --example pingora -- doorward.toml 127.0.0.1:8080`, where the
//! configuration says `proxy.listen = []`.

use anyhow::{Context, Result};
use doorward::config::{Config, process_environment};
use doorward::gateway::{Gateway, pingora_settings};
use doorward::pingora::Doorward;
use pingora_core::server::configuration::ServerConf;
use pingora_core::server::{RunArgs, Server};
use pingora_proxy::http_proxy_service;
use std::path::Path;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().context("no configuration given")?;
    let address = arguments.next().context("no address to listen on given")?;
    let config = Config::load(Path::new(&file), process_environment())?;
    let settings = pingora_settings(&config.proxy)?;

    // Snapshots, keys and the operator's door live on this runtime, beside Pingora's own.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let gateway = runtime.block_on(Gateway::start(config))?;
    // Several upstreams are probed.
    runtime.spawn(settings.health.clone().run(gateway.wiring().metrics.clone()));

    let door = Doorward::new(gateway.wiring().clone(), settings)?;
    let threads = std::thread::available_parallelism()?.get();
    let mut server = Server::new_with_opt_and_conf(None, ServerConf { threads, ..door.server_conf() });
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, door);
    service.add_tcp(&address);
    server.add_service(service);
    server.run(RunArgs::default());

    // Told to stop: what the log still holds is written.
    runtime.block_on(gateway.run(std::future::ready(())));
    Ok(())
}
