//! The span of one HTTP request, for the log.
//!
//! Must hold: the route's pattern is logged, never the path or the query, since both may carry a link's token.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use tracing::Span;
use tracing_actix_web::{DefaultRootSpanBuilder, RequestId, RootSpanBuilder};

/// Names requests by pattern.
pub struct PatternSpan;

impl RootSpanBuilder for PatternSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id = actix_web::HttpMessage::extensions(request).get::<RequestId>().map(ToString::to_string);
        tracing::info_span!(
            "http",
            request.id = id.as_deref().unwrap_or_default(),
            http.method = %request.method(),
            http.route = request.match_pattern().as_deref().unwrap_or("unknown"),
            client.address = %request.peer_addr().map(|peer| peer.ip().to_string()).unwrap_or_default(),
            http.status_code = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
            exception.message = tracing::field::Empty,
            exception.details = tracing::field::Empty,
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, actix_web::Error>) {
        if let Ok(answer) = outcome {
            let pattern = answer.request().match_pattern().unwrap_or_else(|| "unknown".to_owned());
            let status = answer.status().as_u16().to_string();
            metrics::counter!("countersign_http_answers_total", "route" => pattern, "status" => status)
                .increment(1);
        }
        DefaultRootSpanBuilder::on_request_end(span, outcome);
    }
}
