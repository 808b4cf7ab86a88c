//! REST as the gateways of Cosmos software serve it: every method with an HTTP rule, requests from
//! paths, parameters and bodies, answers as JSON; the watch as server-sent events; an index, the
//! API's own description and a page that shows it.
//!
//! | file | what it is |
//! |---|---|
//! | [`shape`] | what messages look like, from the descriptors |
//! | [`paths`] | which method a path calls |
//! | [`read`] | parameters and JSON to the bytes of a request |
//! | [`write`] | the bytes of an answer to JSON |
//! | `site`, [`openapi`], [`chain_info`] | index, description, page, what wallets ask |
//! | `events` | links and rounds as server-sent events |
//! | [`wire`] | bytes of messages, without descriptors |
//!
//! Invariants: nothing is written route by route; what a gateway answers with status and text,
//! this answers with the same; an unknown path is 501. Deliberately absent: TLS, authentication.

pub mod chain_info;
mod events;
pub mod openapi;
pub mod paths;
pub mod read;
pub mod shape;
mod site;
#[cfg(test)]
mod tests;
pub mod wire;
pub mod write;

use super::gate::{parse_height, Denial, Gate, Reply, HEIGHT_HEADER};
use super::routes;
use crate::config::GasPrice;
use crate::telemetry;
use crate::types::Height;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{header, HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Router;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use paths::{Endpoint, Found, Paths, Verb};
use prost_reflect::DescriptorPool;
use read::Source;
use serde_json::{Map, Value};
use shape::Shapes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;
use tonic::Code;
use tower_http::compression::CompressionLayer;
use tower_http::CompressionLevel;

/// A body has to come whole within this time.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a refused body that are read and forgotten.
const DRAINED_MAX: usize = 16_000_000;
/// How the gateway of Cosmos software names an answer's height.
const GATEWAY_HEIGHT: HeaderName = HeaderName::from_static("grpc-metadata-x-cosmos-block-height");
const OWN_HEIGHT: HeaderName = HeaderName::from_static(HEIGHT_HEADER);

/// What the server needs.
pub struct Parts {
    pub gate: Arc<Gate>,
    /// The longest body that is read, in bytes.
    pub body_bytes_max: usize,
    /// `http://HOST:PORT` of CometBFT's RPC, for wallets.
    pub rpc: String,
    pub minimum_gas_prices: Vec<GasPrice>,
}

impl Parts {
    /// The least price of gas in a denomination, a decimal.
    fn gas_price(&self, denom: &str) -> String {
        let price = self.minimum_gas_prices.iter().find(|price| price.denom == denom);
        price.map_or_else(|| "0".to_owned(), |price| price.amount.to_string())
    }
}

/// The server behind its routes.
struct Rest {
    parts: Parts,
    /// Made when the first request comes.
    tables: OnceCell<Arc<Tables>>,
    /// The API's description, made when somebody asks for it.
    document: OnceCell<Bytes>,
}

/// What the descriptors say.
pub struct Tables {
    pub shapes: Shapes,
    pub paths: Paths,
}

impl Tables {
    /// Of the project's descriptors.
    pub fn new() -> Tables {
        let pool = DescriptorPool::decode(cyber_proto::DESCRIPTORS);
        let pool = pool.expect("the descriptors were made by the compiler");
        let shapes = Shapes::new(&pool);
        let paths = Paths::new(&pool, &shapes);
        Tables { shapes, paths }
    }
}

impl Default for Tables {
    fn default() -> Tables {
        Tables::new()
    }
}

/// The server, as routes over HTTP/1 and HTTP/2.
pub fn router(parts: Parts) -> Router {
    let rest = Arc::new(Rest { parts, tables: OnceCell::new(), document: OnceCell::new() });
    // Streams of events are not among what it compresses.
    let compression = CompressionLayer::new().quality(CompressionLevel::Fastest);
    site::routes().fallback(answer).with_state(rest).layer(compression)
}

impl Rest {
    async fn tables(&self) -> Arc<Tables> {
        let make = || async {
            let made = tokio::task::spawn_blocking(|| Arc::new(Tables::new())).await;
            made.expect("the tables of the project's own descriptors")
        };
        self.tables.get_or_init(make).await.clone()
    }
}

/// A request, read as far as HTTP goes.
struct Asked {
    variables: Vec<(String, String)>,
    parameters: Vec<(String, String)>,
    body: Bytes,
    at: i64,
}

/// Answers one request, whatever its path.
async fn answer(State(rest): State<Arc<Rest>>, request: Request<Body>) -> Response {
    #[allow(clippy::disallowed_methods, reason = "measures for an operator")]
    let begin = Instant::now();
    let tables = rest.tables().await;
    let response = match ask(&rest, &tables, request).await {
        Ok(response) => response,
        Err(refused) => refused.into_response(),
    };
    telemetry::api_answer("rest", response.status().as_u16(), begin.elapsed());
    response
}

async fn ask(
    rest: &Rest,
    tables: &Arc<Tables>,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let verb = match *request.method() {
        Method::GET => Verb::Get,
        Method::POST => Verb::Post,
        _ => return Err(Refused::of(Code::Unimplemented, "Method Not Allowed")),
    };
    let uri = request.uri().clone();
    let found = tables.paths.find(verb, uri.path());
    let (endpoint, variables) =
        match found.map_err(|text| Refused::of(Code::InvalidArgument, text))? {
            Found::Endpoint(endpoint, variables) => (endpoint, variables),
            Found::OtherVerb => return Err(Refused::of(Code::Unimplemented, "Method Not Allowed")),
            Found::Nothing => return Err(Refused::of(Code::Unimplemented, "Not Implemented")),
        };
    let parameters = Query::<Vec<(String, String)>>::try_from_uri(&uri)
        .map_err(|error| Refused::of(Code::InvalidArgument, error.to_string()))?;
    let at = request.headers().get(OWN_HEIGHT).or_else(|| request.headers().get(GATEWAY_HEIGHT));
    let at = parse_height(at.map(HeaderValue::as_bytes))?;
    let last = request.headers().get("last-event-id").cloned();
    let body = match endpoint.has_body {
        true => body(request, rest.parts.body_bytes_max).await?,
        false => Bytes::new(),
    };
    let asked = Asked { variables, parameters: parameters.0, body, at };
    if endpoint.is_stream {
        let request = read_request(tables, &endpoint, &asked)?;
        return Ok(
            events::response(&rest.parts.gate, tables.clone(), &request, last.as_ref()).await?
        );
    }
    let (json, height) = call(&rest.parts.gate, tables, endpoint, asked).await?;
    let load = rest.parts.gate.load(json.len())?;
    let body = Body::from(json);
    let body = match load {
        None => body,
        Some(load) => Body::new(body.map_frame(move |frame| {
            // Let go when the last of it has been taken.
            let _load = &load;
            frame
        })),
    };
    let mut response = Response::new(body);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    name_height(response.headers_mut(), height);
    Ok(response)
}

/// From a request to the JSON of its answer.
async fn call(
    gate: &Arc<Gate>,
    tables: &Arc<Tables>,
    endpoint: Arc<Endpoint>,
    asked: Asked,
) -> Result<(Vec<u8>, Height), Denial> {
    let own = tables.clone();
    let route = routes::find(&endpoint.method).filter(|_| gate.is_whole(&endpoint.method));
    if let Some(route) = route {
        return gate
            .run(move |gate| {
                let request = read_request(&own, &endpoint, &asked)?;
                let reply = gate.answer(route, &request, asked.at)?;
                Ok((write_answer(&own, &endpoint, &reply)?, reply.height))
            })
            .await;
    }
    let (method, at) = (endpoint.method.clone(), asked.at);
    let reading = {
        let (own, endpoint) = (own.clone(), endpoint.clone());
        move |_: &Gate| read_request(&own, &endpoint, &asked)
    };
    let request = gate.run(reading).await?;
    let reply = gate.call(&method, request.into(), at).await?;
    gate.run(move |_| Ok((write_answer(&own, &endpoint, &reply)?, reply.height))).await
}

/// The bytes of a request.
fn read_request(tables: &Tables, endpoint: &Endpoint, asked: &Asked) -> Result<Vec<u8>, Denial> {
    let shapes = &tables.shapes;
    let shape = shapes.find(&endpoint.input).expect("endpoints name messages there are");
    let denial = |error: read::Unreadable| Denial::new(Code::InvalidArgument, error.0);
    let mut bytes = Vec::new();
    if !asked.body.is_empty() {
        let body: Value = serde_json::from_slice(&asked.body)
            .map_err(|error| Denial::new(Code::InvalidArgument, format!("the body: {error}")))?;
        bytes = read::message(shapes, shape, &body, Source::Body).map_err(denial)?;
    }
    let mut object = Map::new();
    for (name, text) in asked.parameters.iter().chain(&asked.variables) {
        read::put_parameter(shapes, shape, &mut object, name, text).map_err(denial)?;
    }
    let more = read::message(shapes, shape, &object.into(), Source::Parameters).map_err(denial)?;
    // Concatenated messages are one message: what comes later wins.
    bytes.extend(more);
    Ok(bytes)
}

fn write_answer(tables: &Tables, endpoint: &Endpoint, reply: &Reply) -> Result<Vec<u8>, Denial> {
    let shapes = &tables.shapes;
    let shape = shapes.find(&endpoint.output).expect("endpoints name messages there are");
    let json = write::message(shapes, shape, &reply.value);
    json.map_err(|error| Denial::new(Code::Internal, error.to_string()))
}

/// A body, neither too long nor too slow nor of a kind that is no JSON.
async fn body(mut request: Request<Body>, most: usize) -> Result<Bytes, Refused> {
    let kind = request.headers().get(header::CONTENT_TYPE).cloned();
    let kind = kind.as_ref().map_or(Ok("application/json"), HeaderValue::to_str).unwrap_or("?");
    // What tools send when nobody tells them is read as JSON too.
    let known = ["application/json", "text/plain", "application/x-www-form-urlencoded"];
    if !known.contains(&kind.split(';').next().unwrap_or_default().trim()) {
        let text = format!("content type {kind}: a body is application/json");
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Refused { status, ..Refused::of(Code::InvalidArgument, text) });
    }
    let too_long = || {
        let text = format!("the body is longer than {most} bytes");
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Refused { status, ..Refused::of(Code::ResourceExhausted, text) }
    };
    let told = request.headers().get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    if told.and_then(|it| it.parse::<u64>().ok()).is_some_and(|told| told > most as u64) {
        drain(request.body_mut()).await;
        return Err(too_long());
    }
    let whole = Limited::new(request.body_mut(), most).collect();
    match tokio::time::timeout(BODY_WITHIN, whole).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            drain(request.body_mut()).await;
            Err(too_long())
        }
        Ok(Err(error)) => {
            Err(Refused::of(Code::InvalidArgument, format!("the body ended early: {error}")))
        }
        Err(_) => {
            let text = format!("the body did not come within {} s", BODY_WITHIN.as_secs());
            let status = StatusCode::REQUEST_TIMEOUT;
            Err(Refused { status, ..Refused::of(Code::DeadlineExceeded, text) })
        }
    }
}

/// Reads some more of a body that is refused and forgets it: a connection closed on unread bytes
/// is reset, and the other side would never see the reason.
async fn drain(body: &mut Body) {
    let mut left = DRAINED_MAX;
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            let read = frame.data_ref().map_or(0, Bytes::len);
            left = left.saturating_sub(read);
            if left == 0 {
                break;
            }
        }
    };
    // However far it came, the answer is next.
    drop(tokio::time::timeout(BODY_WITHIN, reading).await);
}

fn name_height(headers: &mut HeaderMap, height: Height) {
    let value = HeaderValue::from_str(&height.0.to_string()).expect("digits are a header");
    headers.insert(GATEWAY_HEIGHT, value.clone());
    headers.insert(OWN_HEIGHT, value);
}

/// A denial with its HTTP status.
pub struct Refused {
    status: StatusCode,
    denial: Denial,
}

impl Refused {
    fn of(code: Code, message: impl Into<String>) -> Refused {
        Denial::new(code, message).into()
    }
}

impl From<Denial> for Refused {
    /// By the table of gRPC gateways.
    fn from(denial: Denial) -> Refused {
        let status = match denial.code {
            Code::Ok => StatusCode::OK,
            Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
                StatusCode::BAD_REQUEST
            }
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::PermissionDenied => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::Cancelled => StatusCode::REQUEST_TIMEOUT,
            Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
            Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refused { status, denial }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Denial { code, message, height } = self.denial;
        let body = serde_json::json!({ "code": code as i32, "message": message, "details": [] });
        let mut response = (self.status, axum::Json(body)).into_response();
        if let Some(height) = height {
            name_height(response.headers_mut(), height);
        }
        response
    }
}
