//! Which request comes to what. Handlers only take requests apart and put answers together.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::de::DeserializeOwned;

use super::api::{Force, OverrideRequest, OverrideStatus, ReportReply, Status, SteerReply, SteerRequest, Target, Top};
use super::desk::{Desk, Phase, Refusal, Selection};
use super::{BODY_OCTETS_MAX, Problem, REQUEST_LONGEST, Token, guard};

type Answer<T> = Result<Json<T>, Problem>;
type Body = Result<Bytes, BytesRejection>;

pub(super) fn router(desk: Desk, token: Option<Token>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/v1/status", get(status))
        .route("/v1/top", get(top))
        .route("/v1/steer", post(steer))
        .route("/v1/pools/{zone}/{pool}/override", put(force_pool).delete(release_pool))
        .route("/v1/endpoints/{zone}/{pool}/{endpoint}/override", put(force_endpoint).delete(release_endpoint))
        .route("/v1/endpoints/{zone}/{pool}/{endpoint}/health", put(report))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is no such path; /v1/status is one"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take that method")
        })
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn_with_state(token, guard::check))
        .layer(DefaultBodyLimit::max(BODY_OCTETS_MAX))
        .with_state(desk)
}

/// Gives up on a request that takes too long: a body that trickles, or a keeper that is busy.
async fn in_time(request: Request, next: Next) -> Response {
    tokio::time::timeout(REQUEST_LONGEST, next.run(request)).await.unwrap_or_else(|_| {
        let detail = format!("not done within {REQUEST_LONGEST:?}; it may still come to pass");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
    })
}

/// The process lives.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Queries should come here: for whoever announces or withdraws an anycast route.
async fn readyz(State(desk): State<Desk>) -> Result<&'static str, Problem> {
    let detail = match desk.life.phase() {
        Phase::Ready => return Ok("ready\n"),
        Phase::Starting => "starting: the first round of probes is not in yet",
        Phase::Stopping => "stopping",
    };
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail))
}

async fn status(State(desk): State<Desk>) -> Answer<Status> {
    Ok(Json(desk.look().await?))
}

async fn top(State(desk): State<Desk>) -> Answer<Top> {
    Ok(Json(desk.top().await?))
}

async fn steer(State(desk): State<Desk>, body: Body) -> Answer<SteerReply> {
    Ok(Json(desk.steer(Selection::Patterns, read(body)?).await?))
}

async fn force_pool(
    State(desk): State<Desk>,
    path: Result<Path<(String, String)>, PathRejection>,
    body: Body,
) -> Answer<OverrideStatus> {
    let Path((zone, pool)) = path?;
    force(&desk, Target { zone, pool, endpoint: None }, read(body)?).await
}

async fn force_endpoint(
    State(desk): State<Desk>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    body: Body,
) -> Answer<OverrideStatus> {
    let Path((zone, pool, endpoint)) = path?;
    force(&desk, Target { zone, pool, endpoint: Some(endpoint) }, read(body)?).await
}

async fn report(
    State(desk): State<Desk>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    body: Body,
) -> Answer<ReportReply> {
    let Path((zone, pool, endpoint)) = path?;
    Ok(Json(desk.report(Target { zone, pool, endpoint: Some(endpoint) }, read(body)?).await?))
}

async fn release_pool(
    State(desk): State<Desk>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path((zone, pool)) = path?;
    release(&desk, Target { zone, pool, endpoint: None }).await
}

async fn release_endpoint(
    State(desk): State<Desk>,
    path: Result<Path<(String, String, String)>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path((zone, pool, endpoint)) = path?;
    release(&desk, Target { zone, pool, endpoint: Some(endpoint) }).await
}

async fn force(desk: &Desk, target: Target, request: OverrideRequest) -> Answer<OverrideStatus> {
    let OverrideRequest { force, who, reason } = request;
    let reply = desk.steer(Selection::Only(target), one(Some(force), who, reason)).await?;
    let forced = reply.forced.into_iter().next();
    forced.map(Json).ok_or_else(|| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "nothing was forced"))
}

/// Whoever takes an override back need not say who they are: nothing of them is kept.
async fn release(desk: &Desk, target: Target) -> Result<StatusCode, Problem> {
    desk.steer(Selection::Only(target), one(None, "api".to_owned(), None)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn one(force: Option<Force>, who: String, reason: Option<String>) -> SteerRequest {
    SteerRequest { select: Vec::new(), zone: None, force, who, reason }
}

fn read<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let detail = format!("a body may have {BODY_OCTETS_MAX} octets at the most");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
        }
        _ => Problem::new(StatusCode::BAD_REQUEST, "the body breaks off"),
    })?;
    serde_json::from_slice(&body).map_err(|error| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the body is not as it should be: {error}"))
    })
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), "the path is not text")
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown(detail) => Self::new(StatusCode::NOT_FOUND, detail),
            Refusal::Invalid(detail) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail),
            Refusal::Full(detail) => Self::new(StatusCode::CONFLICT, detail),
            Refusal::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        }
    }
}
