//! The static files: inside the binary, and named by their content so that a browser may keep them.
//!
//! Must hold: the address in a page changes with the bytes; an unknown name is an unknown page like any other.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, guard, web};

use crate::domain::canon::Digest;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

static STYLE: Asset = Asset {
    name: "countersign.css",
    kind: "text/css; charset=utf-8",
    bytes: include_bytes!("../../static/countersign.css"),
};
static SCRIPT: Asset = Asset {
    name: "live.js",
    kind: "text/javascript; charset=utf-8",
    bytes: include_bytes!("../../static/live.js"),
};
static ICON: Asset = Asset {
    name: "countersign.svg",
    kind: "image/svg+xml",
    bytes: include_bytes!("../../static/countersign.svg"),
};

impl Asset {
    fn url(&self) -> String {
        format!("/static/{}?v={}", self.name, Digest::of_bytes(self.bytes).short())
    }

    fn answer(&self) -> HttpResponse {
        HttpResponse::Ok()
            .content_type(self.kind)
            .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
            .body(self.bytes)
    }
}

/// The address of the stylesheet.
pub fn style_url() -> &'static str {
    static URL: LazyLock<String> = LazyLock::new(|| STYLE.url());
    &URL
}

/// The address of the script that follows a run.
pub fn script_url() -> &'static str {
    static URL: LazyLock<String> = LazyLock::new(|| SCRIPT.url());
    &URL
}

/// The address of the icon.
pub fn icon_url() -> &'static str {
    static URL: LazyLock<String> = LazyLock::new(|| ICON.url());
    &URL
}

/// `/static/…`, one route a file; every other name is left to the service's own unknown page.
pub fn routes(config: &mut ServiceConfig) {
    for asset in [&STYLE, &SCRIPT, &ICON] {
        let read = guard::Any(guard::Get()).or(guard::Head());
        let serve = move || std::future::ready(asset.answer());
        config.route(&format!("/static/{}", asset.name), web::route().guard(read).to(serve));
    }
}

#[cfg(test)]
mod tests {
    use actix_web::App;
    use actix_web::test::{TestRequest, call_and_read_body, call_service, init_service};

    use super::*;

    #[actix_web::test]
    async fn a_file_is_served_under_the_address_that_pages_name() {
        let app = init_service(App::new().configure(routes)).await;
        let body = call_and_read_body(&app, TestRequest::get().uri(style_url()).to_request()).await;
        assert_eq!(body.as_ref(), STYLE.bytes);
        let answer = call_service(&app, TestRequest::get().uri("/static/other.css").to_request()).await;
        assert_eq!(answer.status(), 404);
    }
}
