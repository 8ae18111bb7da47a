//! `serve` and `migrate`.

use std::net::TcpListener;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

use super::{Configured, failed, logging, tell};
use crate::clock::World;
use crate::rules::passed_over::passed_over;
use crate::service::{Limits, Service};

/// Runs the service until it is told to stop.
pub(super) async fn serve(at: &Configured, world: World) -> ExitCode {
    let settings = match at.load() {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    logging::begin(settings.logs, LevelFilter::INFO);
    for words in passed_over(&settings) {
        tracing::warn!("{words}");
    }
    let listen = settings.http.listen;
    // Before anything is waited for: in a container this is the first process, which a signal ends only if it is heard.
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone());
    let opened = tokio::select! {
        opened = Service::open(settings, world, Limits::default()) => opened,
        () = stop.cancelled() => {
            tracing::info!("stopped before it began to serve");
            return ExitCode::SUCCESS;
        }
    };
    let service = match opened {
        Ok(service) => service,
        Err(faults) => return tell(&faults),
    };
    let socket =
        match TcpListener::bind(listen).and_then(|socket| socket.set_nonblocking(true).map(|()| socket)) {
            Ok(socket) => socket,
            Err(fault) => return failed(&format!("http.listen: {fault}")),
        };
    match service.run(socket, stop).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => failed(&fault),
    }
}

/// Opens the database, which brings it up to date.
pub(super) async fn migrate(at: &Configured, world: World) -> ExitCode {
    let settings = match at.load() {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match Service::open(settings, world, Limits::default()).await {
        Ok(service) => {
            service.kit.store.close().await;
            say!("the database is up to date");
            ExitCode::SUCCESS
        }
        Err(faults) => tell(&faults),
    }
}

/// SIGTERM and SIGINT ask for an orderly stop; they are heard once this returns.
pub(super) fn stop_on_signal(stop: CancellationToken) {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be heard; only a kill will stop this process");
        return;
    };
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        stop.cancel();
    });
}
