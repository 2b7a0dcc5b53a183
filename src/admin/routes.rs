//! Which request comes to what. Handlers only take requests apart and put answers together.

mod reload;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router};
use serde::de::DeserializeOwned;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::{
    EndpointPath, ExplainQuery, Explanation, Force, OverrideRequest, OverrideStatus, PoolPath, Report, ReportReply,
    Status, SteerReply, SteerRequest, Target, Top,
};
use super::desk::{Desk, Phase, Refusal, Selection};
use super::exposition::Exposition;
use super::openapi::{Api, Refused};
use super::{Access, BODY_OCTETS_MAX, Problem, REQUEST_LONGEST, guard};

type Answer<T> = Result<Json<T>, Problem>;
type Body = Result<Bytes, BytesRejection>;
type At<P> = Result<Path<P>, PathRejection>;

pub(super) fn router(desk: Desk, access: Access) -> Router {
    let (routes, mut api) = OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .routes(routes!(openapi))
        .routes(routes!(status))
        .routes(routes!(explain))
        .routes(routes!(top))
        .routes(routes!(steer))
        .routes(routes!(force_pool, release_pool))
        .routes(routes!(force_endpoint, release_endpoint))
        .routes(routes!(report))
        .layer(middleware::from_fn(in_time))
        // A reload has a longer time of its own.
        .routes(routes!(reload::reload))
        .split_for_parts();
    api.info.version = env!("CARGO_PKG_VERSION").to_owned();
    routes
        // Before the fallback for methods, which takes the place of what this is laid around too: that answers as it does.
        .route_layer(middleware::from_fn(guard::demand_json))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is no such path; /v1/status is one"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take that method")
        })
        .layer(middleware::from_fn_with_state(access, guard::check))
        .layer(DefaultBodyLimit::max(BODY_OCTETS_MAX))
        .layer(Extension(Arc::new(api)))
        .with_state(desk)
}

/// Gives up on a request that takes too long: a body that trickles, or a keeper that is busy.
async fn in_time(request: Request, next: Next) -> Response {
    tokio::time::timeout(REQUEST_LONGEST, next.run(request)).await.unwrap_or_else(|_| {
        let detail = format!("not done within {REQUEST_LONGEST:?}; it may still come to pass");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
    })
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "life", security(()), responses((status = 200, description = "It does.", body = str, content_type = "text/plain"), Refused))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether queries should come here: for whoever announces or withdraws an anycast route.
#[utoipa::path(get, path = "/readyz", tag = "life", security(()), responses((status = 200, description = "They should.", body = str, content_type = "text/plain"), Refused))]
async fn readyz(State(desk): State<Desk>) -> Result<&'static str, Problem> {
    let detail = match desk.life.phase() {
        Phase::Ready => return Ok("ready\n"),
        Phase::Starting => "starting: the first round of probes is not in yet",
        Phase::Stopping => "stopping",
    };
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail))
}

/// What was counted, in the text formats of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "looking", responses((status = 200, description = "They are, in the format that the Accept header asks for.", content((String = "text/plain"), (String = "application/openmetrics-text"))), Refused))]
async fn metrics(State(desk): State<Desk>, headers: HeaderMap) -> Result<Response, Problem> {
    let text = desk.measure().await?;
    let text = text.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "`metrics` is off in the [admin] table"))?;
    Ok(Exposition::accepted(&headers).response(text))
}

/// This description of the API.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "looking", responses((status = 200, description = "An OpenAPI 3.1 document.", body = Object), Refused))]
async fn openapi(Extension(api): Extension<Arc<utoipa::openapi::OpenApi>>) -> Response {
    Json(&*api).into_response()
}

/// How everything stands.
#[utoipa::path(get, path = "/v1/status", tag = "looking", responses((status = 200, description = "It does.", body = Status), Refused))]
async fn status(State(desk): State<Desk>) -> Answer<Status> {
    Ok(Json(desk.look().await?))
}

/// What is asked most, by whom, and who is answered.
#[utoipa::path(get, path = "/v1/top", tag = "looking", responses((status = 200, description = "What was heard of late, counted up.", body = Top), Refused))]
async fn top(State(desk): State<Desk>) -> Answer<Top> {
    Ok(Json(desk.top().await?))
}

/// Which answer a client gets now, and why.
#[utoipa::path(get, path = "/v1/explain", tag = "looking", params(ExplainQuery), responses((status = 200, description = "The answer and its reasons.", body = Explanation), Refused))]
async fn explain(State(desk): State<Desk>, query: Result<Query<ExplainQuery>, QueryRejection>) -> Answer<Explanation> {
    let Query(query) = query?;
    Ok(Json(desk.explain(query).await?))
}

/// Forces all that some patterns match, or takes that back, in one swap.
#[utoipa::path(post, path = "/v1/steer", tag = "steering", request_body = SteerRequest, responses((status = 200, description = "What became of it.", body = SteerReply), Refused))]
async fn steer(State(desk): State<Desk>, body: Body) -> Answer<SteerReply> {
    Ok(Json(desk.steer(Selection::Patterns, read(body)?).await?))
}

/// Forces a pool as a whole.
#[utoipa::path(put, path = "/v1/pools/{zone}/{pool}/override", tag = "steering", params(PoolPath), request_body = OverrideRequest, responses((status = 200, description = "What is forced now.", body = OverrideStatus), Refused))]
async fn force_pool(State(desk): State<Desk>, path: At<PoolPath>, body: Body) -> Answer<OverrideStatus> {
    force(&desk, target(path)?, read(body)?).await
}

/// Forces an endpoint over its verdict.
#[utoipa::path(put, path = "/v1/endpoints/{zone}/{pool}/{endpoint}/override", tag = "steering", params(EndpointPath), request_body = OverrideRequest, responses((status = 200, description = "What is forced now.", body = OverrideStatus), Refused))]
async fn force_endpoint(State(desk): State<Desk>, path: At<EndpointPath>, body: Body) -> Answer<OverrideStatus> {
    force(&desk, target(path)?, read(body)?).await
}

/// How an endpoint that has a push monitor stands, as it says itself.
#[utoipa::path(put, path = "/v1/endpoints/{zone}/{pool}/{endpoint}/health", tag = "reporting", params(EndpointPath), request_body = Report, responses((status = 200, description = "For how long that is good.", body = ReportReply), Refused))]
async fn report(State(desk): State<Desk>, path: At<EndpointPath>, body: Body) -> Answer<ReportReply> {
    Ok(Json(desk.report(target(path)?, read(body)?).await?))
}

/// Forces nothing of a pool as a whole any more.
#[utoipa::path(delete, path = "/v1/pools/{zone}/{pool}/override", tag = "steering", params(PoolPath), responses((status = 204, description = "Nothing is forced of it any more."), Refused))]
async fn release_pool(State(desk): State<Desk>, path: At<PoolPath>) -> Result<StatusCode, Problem> {
    release(&desk, target(path)?).await
}

/// Lets the monitor of an endpoint decide again.
#[utoipa::path(delete, path = "/v1/endpoints/{zone}/{pool}/{endpoint}/override", tag = "steering", params(EndpointPath), responses((status = 204, description = "Its monitor decides again."), Refused))]
async fn release_endpoint(State(desk): State<Desk>, path: At<EndpointPath>) -> Result<StatusCode, Problem> {
    release(&desk, target(path)?).await
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

fn target<P: Into<Target>>(path: At<P>) -> Result<Target, Problem> {
    let Path(path) = path?;
    Ok(path.into())
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

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        // Beneath the framework's own words are those of the reader, which name the key.
        let source = std::error::Error::source(&rejection).and_then(|error| error.source());
        let why = source.map_or_else(|| rejection.body_text(), ToString::to_string);
        Self::new(StatusCode::BAD_REQUEST, format!("the query is not as it should be: {why}"))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown(detail) => Self::new(StatusCode::NOT_FOUND, detail),
            Refusal::Malformed(detail) => Self::new(StatusCode::BAD_REQUEST, detail),
            Refusal::Invalid(detail) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail),
            Refusal::Full(detail) => Self::new(StatusCode::CONFLICT, detail),
            Refusal::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        }
    }
}
