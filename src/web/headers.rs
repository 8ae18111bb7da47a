//! The security headers of every answer.
//!
//! Must hold: nothing is loaded from elsewhere, nothing is framed, nothing is kept in a cache unless an answer says
//! otherwise itself. `same-origin` and not `no-referrer`: with the latter browsers send `Origin: null` with our own
//! forms, and the guard of forms could no longer tell them from foreign ones.

use actix_web::http::header;
use actix_web::middleware::DefaultHeaders;

/// What a page may load, run and send to: ourselves, and no inline script or style.
pub const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The middleware that adds them; a header that an answer sets itself stays.
pub fn security() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((header::CONTENT_SECURITY_POLICY, CONTENT_POLICY))
        .add((header::X_FRAME_OPTIONS, "DENY"))
        .add((header::REFERRER_POLICY, "same-origin"))
        .add((header::CACHE_CONTROL, "no-store"))
        .add(("X-Robots-Tag", "noindex"))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"))
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, HttpResponse, web};

    #[actix_web::test]
    async fn every_answer_carries_them_the_unknown_page_too() {
        let app = App::new()
            .wrap(super::security())
            .route("/", web::get().to(HttpResponse::Ok))
            .default_service(web::to(HttpResponse::NotFound));
        let app = init_service(app).await;
        for path in ["/", "/nowhere"] {
            let answer = call_service(&app, TestRequest::get().uri(path).to_request()).await;
            let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
            let policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
            assert_eq!(header("content-security-policy"), Some(policy));
            assert_eq!(header("x-frame-options"), Some("DENY"));
            assert_eq!(header("referrer-policy"), Some("same-origin"));
            assert_eq!(header("cache-control"), Some("no-store"));
            assert_eq!(header("x-robots-tag"), Some("noindex"));
            assert_eq!(header("x-content-type-options"), Some("nosniff"));
            assert_eq!(header("cross-origin-opener-policy"), Some("same-origin"));
        }
    }
}
