//! Against a real SMTP server that refuses on script, and against none.

use std::net::SocketAddr;

use lettre::message::Mailbox as Address;
use secrecy::SecretString;

use super::*;
use crate::config::SmtpLogin;
use crate::simulator::clock::SimClock;
use crate::simulator::mailbox::{Credentials as Known, Mailbox};

fn smtp(address: SocketAddr, password: Option<&str>) -> Smtp {
    let login = password.map(|password| SmtpLogin {
        username: "svc".to_owned(),
        password: SecretString::from(password.to_owned()),
    });
    let host = address.ip().to_string();
    Smtp::new(&config::Smtp { host, port: address.port(), tls: SmtpTls::None, login }).unwrap()
}

fn message() -> Message {
    Message::builder()
        .from("c@example.com".parse::<Address>().unwrap())
        .to("ana@example.com".parse().unwrap())
        .subject("s")
        .body("b".to_owned())
        .unwrap()
}

#[tokio::test]
async fn a_refusal_is_sorted_by_the_servers_number() {
    let mailbox = Mailbox::new(SimClock::following(), None);
    let post = mailbox.listen(([127, 0, 0, 1], 0).into()).await.unwrap();
    let smtp = smtp(post.address(), None);
    for (code, said) in [
        (451, NotSent::NotNow("the mail server refused it for now (451)".to_owned())),
        (550, NotSent::Refused("the mail server refused it for good (550)".to_owned())),
        (535, NotSent::Later("the mail server does not accept our login (535)".to_owned())),
    ] {
        mailbox.refuse(code, 1);
        assert_eq!(smtp.send(message()).await, Err(said));
    }
    smtp.send(message()).await.unwrap();
    assert_eq!(mailbox.mails().len(), 1);
}

#[tokio::test]
async fn a_wrong_password_is_our_fault_and_not_the_mails() {
    let known = Known { user: "svc".to_owned(), password: SecretString::from("right".to_owned()) };
    let mailbox = Mailbox::new(SimClock::following(), Some(known));
    let post = mailbox.listen(([127, 0, 0, 1], 0).into()).await.unwrap();
    let wrong = smtp(post.address(), Some("wrong-password")).send(message()).await.unwrap_err();
    assert_eq!(wrong, NotSent::Later("the mail server does not accept our login (535)".to_owned()));
    smtp(post.address(), Some("right")).send(message()).await.unwrap();
    assert_eq!(mailbox.mails().len(), 1);
}

#[tokio::test]
async fn without_tls_on_the_other_side_nothing_is_sent() {
    let mailbox = Mailbox::new(SimClock::following(), None);
    let post = mailbox.listen(([127, 0, 0, 1], 0).into()).await.unwrap();
    for tls in [SmtpTls::Required, SmtpTls::Implicit] {
        let host = "127.0.0.1".to_owned();
        let settings = config::Smtp { host, port: post.address().port(), tls, login: None };
        let smtp = Smtp { time_limit: Duration::from_secs(2), ..Smtp::new(&settings).unwrap() };
        let fault = smtp.send(message()).await.unwrap_err();
        assert!(matches!(fault, NotSent::Later(_)), "{fault}");
    }
    assert!(mailbox.mails().is_empty());
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let smtp = smtp(listener.local_addr().unwrap(), None);
    let smtp = Smtp { time_limit: Duration::from_millis(50), ..smtp };
    let words = "the mail server did not answer in time";
    assert_eq!(smtp.send(message()).await, Err(NotSent::Later(words.to_owned())));
}

#[tokio::test]
async fn a_server_that_is_not_there_may_come_back() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let words = "the mail server cannot be reached";
    assert_eq!(smtp(address, None).send(message()).await, Err(NotSent::Later(words.to_owned())));
}
