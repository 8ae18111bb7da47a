//! The service behind a proxy that adds a prefix to every path: mail, page, style, form and live stream all work.
//!
//! Line 21 of the approval checklist.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::stage::{Choices, Database, Stage};

const PREFIX: &str = "/tools/countersign";

/// Takes one request on each connection, strips the prefix and hands it on; knows no other address.
async fn proxy(listener: TcpListener, behind: watch::Receiver<String>) {
    while let Ok((client, _)) = listener.accept().await {
        let behind = behind.borrow().clone();
        tokio::spawn(pass_on(client, behind));
    }
}

async fn pass_on(mut client: TcpStream, behind: String) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut bytes = [0; 1024];
        let count = client.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        head.extend_from_slice(&bytes[..count]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let (line, rest) = text.split_once("\r\n").unwrap();
    let Some((method, path)) = line.split_once(&format!(" {PREFIX}/")) else {
        return client
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nproxy")
            .await;
    };
    let mut service = TcpStream::connect(behind).await?;
    service.write_all(format!("{method} /{path}\r\nConnection: close\r\n{rest}").as_bytes()).await?;
    copy_bidirectional(&mut client, &mut service).await?;
    Ok(())
}

/// The value of the first attribute after this text.
fn attribute<'p>(page: &'p str, before: &str) -> &'p str {
    let (_, rest) = page.split_once(before).unwrap_or_else(|| panic!("no {before} in {page}"));
    rest.split_once('"').unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_approval_works_under_a_path_prefix() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = format!("http://{}", listener.local_addr().unwrap());
    let public = format!("public_url = \"{front}{PREFIX}\" # ");
    let choices = Choices::edited(&[("public_url = \"http://", &public)]);
    let stage = Stage::with(Database::sqlite(), choices).await;
    let (_keep, behind) = watch::channel(stage.url.strip_prefix("http://").unwrap().to_owned());
    tokio::spawn(proxy(listener, behind));

    let workflow = stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    assert!(link.starts_with(&format!("{front}{PREFIX}/approve/")), "{link}");
    let page = stage.open(&link).await;
    assert_eq!(page.status, 200);
    for before in ["rel=\"stylesheet\" href=\"", "script src=\"", "rel=\"icon\" href=\"", "<img src=\""] {
        let address = attribute(&page.body, before);
        let file = stage.open(&format!("{front}{address}")).await;
        assert_eq!(file.status, 200, "{address}");
        assert!(file.body.len() > 100, "{address}");
    }
    // Every address in the page leads through the proxy.
    for piece in page.body.split("=\"/").skip(1) {
        assert!(format!("/{piece}").starts_with(&format!("{PREFIX}/")), "{}", &piece[..piece.len().min(80)]);
    }
    // An unknown address under the prefix finds its style, too.
    let nowhere = stage.open(&format!("{front}{PREFIX}/a/b/c")).await;
    assert_eq!(nowhere.status, 404);
    let style = attribute(&nowhere.body, "rel=\"stylesheet\" href=\"");
    assert_eq!(stage.open(&format!("{front}{style}")).await.status, 200);

    let action = format!("{front}{}", attribute(&page.body, "action=\""));
    let (digest, token) = stage.form(&link).await.unwrap();
    let fields = [("decision", "approve"), ("comment", ""), ("digest", &digest), ("form_token", &token)];
    let answered = stage.send(&action, Some(&front), &fields).await;
    assert_eq!(answered.status, 303, "{}", answered.body);
    let after = stage.open(&format!("{front}{}", answered.header("location"))).await;
    assert!(after.body.contains("You approved this plan at"), "{}", after.body);
    let live = format!("{front}{}", attribute(&after.body, "data-live=\""));
    let live = stage.browser.get(live).send().await.unwrap();
    assert_eq!(live.status(), 200);
    let (stream, ()) = tokio::join!(live.text(), stage.settle());
    assert!(stream.unwrap().contains("event: end"));
    let fragment = stage.open(&format!("{front}{}", attribute(&after.body, "data-fragment=\""))).await;
    assert!(fragment.body.contains("data-state=\"succeeded\""), "{}", fragment.body);
    assert_eq!(stage.state(&workflow).await, "succeeded");
    // The address of the form leads back to the page when somebody reloads it.
    let back = stage.open(&action).await;
    assert_eq!((back.status, back.header("location")), (303, answered.header("location")));
}
