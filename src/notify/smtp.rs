//! The way out: a mail server, over SMTP.
//!
//! Must hold: what went wrong is told by its kind and the server's number, never in the server's words, for those
//! quote addresses; a server that does not answer is given up after a while. Deliberately absent: trying again.

use std::time::Duration;

use async_trait::async_trait;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::{Error, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;

use crate::config;
use crate::config::SmtpTls;

/// How long one mail may take, from the connection to the server's last word.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// A connection that nobody uses is closed after this.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// Takes mails away.
#[async_trait]
pub trait Post: Send + Sync {
    /// Hands one mail over; `Ok` when the other side has taken it.
    async fn send(&self, message: Message) -> Result<(), NotSent>;
}

/// Why a mail was not taken. The words name no address and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// The same mail will not be taken later either.
    #[error("{0}")]
    Refused(String),
    /// The server would not take it at this moment; with fewer addressees it might.
    #[error("{0}")]
    NotNow(String),
    /// Another try may succeed.
    #[error("{0}")]
    Later(String),
}

/// The transport cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("TLS with the mail server cannot be set up")]
pub struct NoTls(#[source] Error);

/// A mail server.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    time_limit: Duration,
}

impl Smtp {
    /// Prepares the transport; nothing is connected yet. Must be called inside a tokio runtime.
    pub fn new(settings: &config::Smtp) -> Result<Self, NoTls> {
        let tls = |host: &str| TlsParameters::new(host.to_owned()).map_err(NoTls);
        let tls = match settings.tls {
            SmtpTls::None => Tls::None,
            SmtpTls::Required => Tls::Required(tls(&settings.host)?),
            SmtpTls::Implicit => Tls::Wrapper(tls(&settings.host)?),
        };
        // The builder's name warns of the missing TLS, which is put in here.
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.as_str())
            .port(settings.port)
            .tls(tls)
            .timeout(Some(TIME_LIMIT))
            .pool_config(PoolConfig::new().max_size(2).idle_timeout(IDLE_LIMIT));
        if let Some(login) = &settings.login {
            let password = login.password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(login.username.clone(), password));
        }
        Ok(Self { transport: builder.build(), time_limit: TIME_LIMIT })
    }

    /// Connects as for a mail, with TLS and login as configured, and sends none.
    pub async fn greet(&self) -> Result<(), NotSent> {
        match tokio::time::timeout(self.time_limit, self.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(NotSent::Later("the mail server does not take commands".to_owned())),
            Ok(Err(fault)) => Err(sorted(&fault)),
            Err(_) => Err(NotSent::Later("the mail server did not answer in time".to_owned())),
        }
    }
}

#[async_trait]
impl Post for Smtp {
    async fn send(&self, message: Message) -> Result<(), NotSent> {
        match tokio::time::timeout(self.time_limit, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(fault)) => Err(sorted(&fault)),
            Err(_) => Err(NotSent::Later("the mail server did not answer in time".to_owned())),
        }
    }
}

/// Refusals of our login (RFC 4954, section 6) are about us and not about the mail: a mended password helps.
const ABOUT_OUR_LOGIN: [u16; 4] = [530, 534, 535, 538];

fn sorted(fault: &Error) -> NotSent {
    if let Some(code) = fault.status() {
        let code = u16::from(code);
        return if ABOUT_OUR_LOGIN.contains(&code) {
            NotSent::Later(format!("the mail server does not accept our login ({code})"))
        } else if fault.is_permanent() {
            NotSent::Refused(format!("the mail server refused it for good ({code})"))
        } else {
            NotSent::NotNow(format!("the mail server refused it for now ({code})"))
        };
    }
    let words = if fault.is_timeout() {
        "the mail server did not answer in time"
    } else if fault.is_tls() {
        "no TLS with the mail server"
    } else if fault.is_response() {
        "the mail server gave an answer that is not SMTP"
    } else if fault.is_client() {
        "the mail server does not offer what the settings ask for, TLS or a way to sign in"
    } else {
        "the mail server cannot be reached"
    };
    NotSent::Later(words.to_owned())
}

#[cfg(test)]
mod tests;
