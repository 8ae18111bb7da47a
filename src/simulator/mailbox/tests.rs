//! Real SMTP by a client that is not ours, and the pages over HTTP.

use lettre::message::{Mailbox as Address, MultiPart};
use lettre::transport::smtp::authentication::Credentials as Login;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

struct Stage {
    mailbox: Mailbox,
    address: SocketAddr,
    _post: Post,
}

async fn stage(credentials: Option<Credentials>) -> Stage {
    let mailbox = Mailbox::new(SimClock::following(), credentials);
    let post = mailbox.listen(([127, 0, 0, 1], 0).into()).await.unwrap();
    Stage { mailbox, address: post.address(), _post: post }
}

fn transport(address: SocketAddr, login: Option<Login>) -> Transport {
    let mut builder = Transport::builder_dangerous(address.ip().to_string()).port(address.port());
    if let Some(login) = login {
        builder = builder.credentials(login);
    }
    builder.build()
}

fn message() -> Message {
    let text = "Grüße,\n.a line with a dot\n\nhttp://127.0.0.1:8080/a/abc-_1?x=1&y=2.\n";
    let html = "<p>Grüße <a href=\"http://127.0.0.1:8080/a/abc-_1?x=1&amp;y=2\">decide</a>\
        <script>alert(1)</script></p>";
    Message::builder()
        .from("Countersign <c@example.com>".parse::<Address>().unwrap())
        .to("Ana <ana@example.com>".parse().unwrap())
        .subject("Zugang für Zoë O'Brien braucht Ihre Zustimmung, und der Betreff ist lang")
        .multipart(MultiPart::alternative_plain_html(text.to_owned(), html.to_owned()))
        .unwrap()
}

#[tokio::test]
async fn a_multipart_mail_is_kept_and_decoded() {
    let stage = stage(None).await;
    transport(stage.address, None).send(message()).await.unwrap();
    let mails = stage.mailbox.mails();
    let [mail] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("c@example.com", &["ana@example.com".to_owned()][..])
    );
    assert_eq!(mail.subject, "Zugang für Zoë O'Brien braucht Ihre Zustimmung, und der Betreff ist lang");
    assert_eq!(mail.header("TO"), Some("Ana <ana@example.com>"));
    assert!(mail.text.as_ref().unwrap().replace("\r\n", "\n").starts_with("Grüße,\n.a line with a dot\n"));
    assert!(mail.html.as_ref().unwrap().contains("Grüße <a href="));
    assert!(String::from_utf8_lossy(&mail.raw).contains("multipart/alternative"));
    assert_eq!(stage.mailbox.links_for("ANA@example.com"), ["http://127.0.0.1:8080/a/abc-_1?x=1&y=2"]);
    assert!(stage.mailbox.links_for("bea@example.com").is_empty());
}

#[tokio::test]
async fn a_scripted_refusal_keeps_nothing_and_ends() {
    let stage = stage(None).await;
    stage.mailbox.refuse(451, 1);
    let refused = transport(stage.address, None).send(message()).await.unwrap_err();
    assert!(refused.is_transient(), "{refused}");
    stage.mailbox.refuse(550, 1);
    assert!(transport(stage.address, None).send(message()).await.unwrap_err().is_permanent());
    assert!(stage.mailbox.mails().is_empty());
    transport(stage.address, None).send(message()).await.unwrap();
    assert_eq!(stage.mailbox.mails().len(), 1);
}

#[tokio::test]
async fn nobody_sends_without_signing_in_where_that_is_wanted() {
    let credentials = Credentials { user: "svc".to_owned(), password: SecretString::from("pässword") };
    let stage = stage(Some(credentials)).await;
    let login = |password: &str| Some(Login::new("svc".to_owned(), password.to_owned()));
    assert!(transport(stage.address, None).send(message()).await.is_err());
    assert!(transport(stage.address, login("wrong")).send(message()).await.is_err());
    assert!(stage.mailbox.mails().is_empty());
    transport(stage.address, login("pässword")).send(message()).await.unwrap();
    assert_eq!(stage.mailbox.mails().len(), 1);
}

#[tokio::test]
async fn the_dialogue_keeps_its_order() {
    let stage = stage(None).await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let script = "HELO x\r\nDATA\r\nRCPT TO:<a@b>\r\nMAIL FROM:nobody\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRSET\r\n\
        NOOP\r\nVRFY x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\nQUIT\r\n";
    stream.write_all(script.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    let codes: Vec<&str> = answers.lines().map(|line| &line[..3]).collect();
    let wanted = "220 250 503 503 501 250 250 250 250 502 250 250 354 250 221";
    assert_eq!(codes.join(" "), wanted);
    assert_eq!(stage.mailbox.mails()[0].text.as_deref(), Some(".\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_show_mails_and_escape_them() {
    let stage = stage(None).await;
    transport(stage.address, None).send(message()).await.unwrap();
    let evil =
        "Subject: <script>boom</script>\r\n\r\n</pre><script>boom</script> http://x.example/\"onclick=";
    stage.mailbox.deliver("<i>@example.com".to_owned(), vec!["ana@example.com".to_owned()], evil.into());
    let served = stage.mailbox.show(([127, 0, 0, 1], 0).into()).unwrap();
    let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(5)).build().unwrap();
    let get = async |path: &str| {
        let answer = client.get(format!("{}{path}", served.url())).send().await.unwrap();
        answer.text().await.unwrap()
    };
    for path in ["/", "/mail/2"] {
        let shown = get(path).await;
        assert!(shown.contains("boom") && !shown.contains("<script") && !shown.contains("<i>"), "{shown}");
    }
    let shown = get("/mail/1").await;
    assert!(shown.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\""), "{shown}");
    assert!(shown.contains("href=\"http://127.0.0.1:8080/a/abc-_1?x=1&#38;y=2\""), "{shown}");
    let listed: serde_json::Value = serde_json::from_str(&get("/api/mails").await).unwrap();
    assert_eq!((listed[0]["number"].as_u64(), listed.as_array().unwrap().len()), (Some(1), 2));
    let refuse = serde_json::json!({ "code": 451, "times": 2 });
    let answer =
        client.post(format!("{}/_sim/mail/refuse", served.url())).json(&refuse).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(
        (stage.mailbox.refusal(), stage.mailbox.refusal(), stage.mailbox.refusal()),
        (Some(451), Some(451), None)
    );
    served.stop().await;
}
