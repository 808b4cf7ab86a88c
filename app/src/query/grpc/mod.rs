//! gRPC and gRPC-web over the router: any `/package.Service/Method` that has a handler, from bytes
//! to bytes; reflection (v1 and v1alpha), health, and the watch of links and rounds.
//!
//! Invariants: a request's height comes in the metadata `x-cosmos-block-height` and every answer
//! names its own there; what has no handler, the services that take transactions among it, is
//! UNIMPLEMENTED though reflection lists it; a message longer than the limit is
//! RESOURCE_EXHAUSTED before it is read. Deliberately absent: generated servers, TLS.

#![allow(clippy::result_large_err, reason = "the size of tonic's own error")]

mod codec;
#[cfg(test)]
mod tests;

use super::gate::{parse_height, Denial, Gate, Reply, HEIGHT_HEADER};
use super::watch;
use crate::error::Fault;
use crate::telemetry;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request, Response};
use axum::Router;
use bytes::Bytes;
use codec::Raw;
use cyber_proto::cyberd::v1::WatchRequest;
use futures::StreamExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use prost::Message;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;
use tonic::codec::CompressionEncoding;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::Status;
use tonic_web::GrpcWebLayer;

/// A message has to come whole within this time.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// What stands before a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// What the server needs.
#[derive(Clone)]
pub struct Parts {
    pub gate: Arc<Gate>,
    /// The longest message that is read, in bytes.
    pub body_bytes_max: usize,
}

/// The server, as routes over HTTP/1 (gRPC-web) and HTTP/2.
///
/// # Errors
/// [`Fault::Setup`] if the descriptors do not fit together, which the tests rule out.
pub fn router(parts: Parts) -> Result<Router, Fault> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(cyber_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let fault = |error| Fault::Setup(format!("gRPC reflection: {error}"));
    let v1 = reflection().build_v1().map_err(fault)?;
    let v1alpha = reflection().build_v1alpha().map_err(fault)?;
    let (_, health) = tonic_health::server::health_reporter();
    let router = Router::new()
        .route_service("/grpc.reflection.v1.ServerReflection/{method}", v1)
        .route_service("/grpc.reflection.v1alpha.ServerReflection/{method}", v1alpha)
        .route_service("/grpc.health.v1.Health/{method}", health)
        .fallback(answer)
        .with_state(parts)
        .layer(GrpcWebLayer::new());
    Ok(router)
}

/// Answers one call, whatever its path.
async fn answer(State(parts): State<Parts>, request: Request<Body>) -> Response<Body> {
    let path: Arc<str> = request.uri().path().into();
    let mut grpc = Grpc::new(Raw)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(parts.body_bytes_max)
        .max_encoding_message_size(usize::MAX);
    let request = match whole(request, parts.body_bytes_max).await {
        Ok(request) => request,
        Err(status) => return status.into_http(),
    };
    if &*path == watch::PATH {
        let service = Events(parts.gate);
        return grpc.server_streaming(service, request).await.map(Body::new);
    }
    #[allow(clippy::disallowed_methods, reason = "measures for an operator")]
    let begin = Instant::now();
    let limit = deadline(request.headers());
    let call = Call { gate: parts.gate, path };
    let answer = grpc.unary(call, request);
    let response = match limit {
        None => answer.await,
        Some(limit) => tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
            let text = format!("the {} ms this call was given are over", limit.as_millis());
            Status::deadline_exceeded(text).into_http()
        }),
    };
    let mut response = response.map(Body::new);
    if let Some(Load(load)) = response.extensions_mut().remove() {
        response = response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                // Let go when the last of it has been taken.
                let _load = &load;
                frame
            }))
        });
    }
    let response = with_limits_named(response);
    // Absent where the status comes after the answer, which is where all went well.
    let status =
        response.headers().get("grpc-status").and_then(|it| it.to_str().ok()?.parse().ok());
    telemetry::api_answer("grpc", status.unwrap_or_default(), begin.elapsed());
    response
}

/// A request with all of its message, neither too long nor too slow.
async fn whole(request: Request<Body>, most: usize) -> Result<Request<Body>, Status> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, most.saturating_add(PREFIX_BYTES)).collect();
    match tokio::time::timeout(BODY_WITHIN, body).await {
        Ok(Ok(body)) => Ok(Request::from_parts(head, Body::from(body.to_bytes()))),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let text = format!("the message is too large: this node reads {most} bytes");
            Err(Status::resource_exhausted(text))
        }
        Ok(Err(error)) => Err(Status::cancelled(format!("the message ended early: {error}"))),
        Err(_) => {
            let text = format!("the message did not come within {} s", BODY_WITHIN.as_secs());
            Err(Status::deadline_exceeded(text))
        }
    }
}

/// What a large answer holds while it travels.
#[derive(Clone)]
struct Load(Arc<OwnedSemaphorePermit>);

/// tonic says OUT_OF_RANGE of a message that is too long; the usual name is RESOURCE_EXHAUSTED.
fn with_limits_named(mut response: Response<Body>) -> Response<Body> {
    if let Some(status) = response.headers_mut().get_mut("grpc-status") {
        if status == "11" {
            *status = HeaderValue::from_static("8");
        }
    }
    response
}

/// The time a client gives, by the header `grpc-timeout`: a number and a unit.
fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok().filter(|_| number.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// One call.
struct Call {
    gate: Arc<Gate>,
    path: Arc<str>,
}

type Answer = Pin<Box<dyn Future<Output = Result<tonic::Response<Vec<u8>>, Status>> + Send>>;

impl UnaryService<Bytes> for Call {
    type Response = Vec<u8>;
    type Future = Answer;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Answer {
        let (gate, path) = (self.gate.clone(), self.path.clone());
        Box::pin(async move {
            let height = request.metadata().get(HEIGHT_HEADER);
            let at = parse_height(height.map(|value| value.as_bytes())).map_err(status)?;
            let Reply { value, height } =
                gate.call(&path, request.into_inner(), at).await.map_err(status)?;
            let load = gate.load(value.len()).map_err(status)?;
            let mut response = tonic::Response::new(value);
            if let Some(load) = load {
                response.extensions_mut().insert(Load(Arc::new(load)));
            }
            name_height(response.metadata_mut(), height.0);
            Ok(response)
        })
    }
}

/// The stream of links and rounds.
struct Events(Arc<Gate>);

type Stream = Pin<Box<dyn futures::Stream<Item = Result<Vec<u8>, Status>> + Send>>;
type Started = Pin<Box<dyn Future<Output = Result<tonic::Response<Stream>, Status>> + Send>>;

impl ServerStreamingService<Bytes> for Events {
    type Response = Vec<u8>;
    type ResponseStream = Stream;
    type Future = Started;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Started {
        let gate = self.0.clone();
        Box::pin(async move {
            let request = WatchRequest::decode(request.into_inner())
                .map_err(|error| Status::invalid_argument(error.to_string()))?;
            let events = watch::start(&gate, request).await.map_err(status)?;
            let bytes = events.map(|event| event.map(|it| it.encode_to_vec()).map_err(status));
            let mut response = tonic::Response::new(Box::pin(bytes) as Stream);
            response.disable_compression();
            Ok(response)
        })
    }
}

/// A denial as gRPC says it.
pub fn status(denial: Denial) -> Status {
    let mut status = Status::new(denial.code, denial.message);
    if let Some(height) = denial.height {
        name_height(status.metadata_mut(), height.0);
    }
    status
}

fn name_height(metadata: &mut MetadataMap, height: u64) {
    let value = MetadataValue::try_from(height.to_string()).expect("digits are a header");
    metadata.insert(HEIGHT_HEADER, value);
}
