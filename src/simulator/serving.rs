//! A web server on a socket of its own, started and stopped from inside any tokio runtime.
//!
//! Must hold: port 0 is fine and the real address is told; several run side by side in one process; dropping the
//! handle stops the server as well.

use std::net::{SocketAddr, TcpListener};

use actix_web::dev::ServerHandle;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpServer};
use tokio::task::JoinHandle;

/// A running web server.
pub struct Served {
    address: SocketAddr,
    handle: ServerHandle,
    task: Option<JoinHandle<std::io::Result<()>>>,
}

impl Served {
    /// Serves what `configure` sets up on the address. Must be called inside a tokio runtime.
    pub fn start<F>(address: SocketAddr, configure: F) -> std::io::Result<Self>
    where
        F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
    {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let server = HttpServer::new(move || {
            let limit = web::PayloadConfig::new(1024 * 1024);
            App::new().app_data(limit).configure(configure.clone())
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?
        .run();
        let handle = server.handle();
        Ok(Self { address, handle, task: Some(tokio::spawn(server)) })
    }

    /// Where it really listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://address`, without a final slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops at once and returns when the socket is closed.
    pub async fn stop(mut self) {
        self.handle.stop(false).await;
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::warn!(%error, "a server of the simulator ended badly");
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // The order to stop is sent by the call itself; only its completion would need awaiting.
        drop(self.handle.stop(false));
    }
}
