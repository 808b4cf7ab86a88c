//! The watch as server-sent events: `id`, `event` (link, round, heartbeat or error) and the event
//! as JSON in `data`; `Last-Event-ID` continues after the event it names.

use super::{write, Tables};
use crate::query::gate::{Denial, Gate};
use crate::query::watch;
use axum::body::Body;
use axum::http::{header, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use cyber_proto::cyberd::v1::{watch_event::Event, WatchEvent, WatchRequest};
use futures::stream::{self, StreamExt};
use prost::Message;
use std::convert::Infallible;
use std::sync::Arc;

/// After so many milliseconds a browser comes back.
const RETRY_MS: u32 = 3_000;

/// The response to a request whose parameters are read.
pub async fn response(
    gate: &Arc<Gate>,
    tables: Arc<Tables>,
    request: &[u8],
    last: Option<&HeaderValue>,
) -> Result<Response, Denial> {
    let mut request = WatchRequest::decode(request).expect("written by the parameters' reader");
    if let Some(last) = last.and_then(|last| last.to_str().ok()) {
        request.after = last.to_owned();
    }
    let events = watch::start(gate, request).await?;
    let first = stream::once(async { format!("retry: {RETRY_MS}\n\n") });
    let frames = events.map(move |event| frame(&tables, event));
    let frames = first.chain(frames).map(|text| Ok::<_, Infallible>(Bytes::from(text)));
    let mut response = Response::new(Body::from_stream(frames));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies that buffer answers must not buffer this one.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn frame(tables: &Tables, event: Result<WatchEvent, Denial>) -> String {
    let event = match event {
        Ok(event) => event,
        Err(Denial { code, message, .. }) => {
            let json = serde_json::json!({ "code": code as i32, "message": message });
            return format!("event: error\ndata: {json}\n\n");
        }
    };
    let kind = match &event.event {
        Some(Event::Link(_)) => "link",
        Some(Event::Round(_)) => "round",
        Some(Event::Heartbeat(_)) | None => "heartbeat",
    };
    let shape = tables.shapes.find("cyberd.v1.WatchEvent").expect("our descriptors have it");
    let json = write::message(&tables.shapes, shape, &event.encode_to_vec());
    let json = json.expect("encoded by this software");
    format!("id: {}\nevent: {kind}\ndata: {}\n\n", event.id, String::from_utf8_lossy(&json))
}
