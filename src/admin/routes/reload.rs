//! `POST /v1/reload`: waits for what becomes of it.
//!
//! | status | what became of it |
//! |---|---|
//! | 200 | what was read is served |
//! | 409 | the guard refused it: `{"force": true}` takes it up all the same |
//! | 422 | the files have errors, which are listed |
//! | 503 | it is still under way; `/v1/status` will tell |
//!
//! What was refused is a problem (RFC 9457) that bears the report as well.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::{Body, read};
use crate::admin::api::{ReloadOutcome, ReloadReport, ReloadRequest};
use crate::admin::desk::Desk;
use crate::admin::openapi::Refused as OpenRefused;
use crate::admin::{Problem, RELOAD_LONGEST};

/// A problem, and the report beside its own fields (RFC 9457 §3.2).
#[derive(Serialize, ToSchema)]
#[schema(as = ReloadRefused)]
struct Refused {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    report: ReloadReport,
}

/// Reads what changed, and waits for what becomes of it.
#[utoipa::path(post, path = "/v1/reload", tag = "steering", request_body(content = Option<ReloadRequest>), responses((status = 200, description = "What was read is served.", body = ReloadReport), (status = 409, description = "The guard refused it; the last good state keeps serving.", body = Refused, content_type = "application/problem+json"), (status = 422, description = "The files have faults, and the last good state keeps serving: the report stands beside the problem's own fields, as with 409. Or the request is not as it should be, and there is none.", body = Problem, content_type = "application/problem+json"), OpenRefused))]
pub(super) async fn reload(State(desk): State<Desk>, body: Body) -> Result<Response, Problem> {
    let request = match &body {
        Ok(body) if body.is_empty() => ReloadRequest::default(),
        // As the description of the API has it: a body may be absent, or null.
        _ => read::<Option<ReloadRequest>>(body)?.unwrap_or_default(),
    };
    let report = timeout(RELOAD_LONGEST, desk.reload(request)).await.map_err(|_| {
        let detail = format!("not done within {RELOAD_LONGEST:?}; it goes on, and /v1/status tells what comes of it");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })??;
    let (status, detail) = match report.outcome {
        ReloadOutcome::Done => return Ok(Json(report).into_response()),
        ReloadOutcome::Faulty => {
            let errors = if report.errors == 1 { "error" } else { "errors" };
            let detail = format!("the files have {} {errors}; the last good state keeps serving", report.errors);
            (StatusCode::UNPROCESSABLE_ENTITY, detail)
        }
        ReloadOutcome::Guarded => {
            let why = report.refused_for.join("; ");
            (StatusCode::CONFLICT, format!("refused: {why}; the last good state keeps serving"))
        }
    };
    let mut response = (status, Json(Refused { problem: Problem::new(status, detail), report })).into_response();
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}
