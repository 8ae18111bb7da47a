//! What an operator's tools ask: is it alive, is it ready, how is it doing.
//!
//! Must hold: `/healthz` asks nobody; `/readyz` asks the database and whether the time is believed; `/metrics` tells numbers
//! and words of our own, never a name.

use actix_web::{HttpResponse, web};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::clock::guarded::Guarded;
use crate::kit::Kit;
use crate::store::{clock_doubts, outbox, seals, state_counts};

/// Alive, ready, metrics.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/healthz").get(alive).head(alive))
        .service(web::resource("/readyz").get(ready).head(ready))
        .service(web::resource("/metrics").get(measured).head(measured));
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

async fn ready(kit: web::Data<Kit>) -> HttpResponse {
    if let Some(doubt) = kit.world.clock.guarded().and_then(Guarded::doubt) {
        let words = clock_doubts::in_words(&doubt);
        tracing::warn!(found = %words, "not ready");
        return HttpResponse::ServiceUnavailable()
            .content_type("text/plain; charset=utf-8")
            .body(format!("not ready: clock: {words}\n"));
    }
    match kit.store.is_reachable().await {
        Ok(()) => HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n"),
        Err(fault) => {
            tracing::warn!(%fault, "not ready");
            HttpResponse::ServiceUnavailable()
                .content_type("text/plain; charset=utf-8")
                .body("not ready: the database does not answer\n")
        }
    }
}

async fn measured(kit: web::Data<Kit>, handle: web::Data<PrometheusHandle>) -> HttpResponse {
    if let Ok(counts) = state_counts::by_state(&kit.store).await {
        for (state, count) in counts {
            metrics::gauge!("countersign_workflows", "state" => state).set(as_gauge(count));
        }
    }
    if let Ok(counts) = outbox::not_sent_by_state(&kit.store).await {
        for (state, count) in counts {
            metrics::gauge!("countersign_owed_messages", "state" => state).set(as_gauge(count));
        }
    }
    if let Ok(waiting) = seals::waiting(&kit.store).await {
        metrics::gauge!("countersign_unsealed_events")
            .set(as_gauge(i64::try_from(waiting).unwrap_or(i64::MAX)));
    }
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(handle.render())
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts beyond 2^52 do not come up")]
fn as_gauge(count: i64) -> f64 {
    count as f64
}
