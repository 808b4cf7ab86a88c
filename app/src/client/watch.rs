//! New links and rounds from a height on, as the chain makes them: the stream of a node's gRPC.
//!
//! Events come in the chain's order, none left out; each has an id, and a later call continues
//! after it. It deliberately does not reconnect: whoever watches knows the last id it has dealt
//! with.

use super::failure::{Exit, Failure};
use cyber_proto::cyberd::v1::{WatchEvent, WatchRequest};
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::codec::ProstCodec;
use tonic::transport::Endpoint;
use tonic::{Request, Status, Streaming};

/// A running watch.
pub struct Watch {
    events: Streaming<WatchEvent>,
    address: String,
}

impl Watch {
    /// Begins to watch at a node's gRPC address, `http://host:9090`.
    ///
    /// # Errors
    /// When nothing answers there, or the node refuses the request.
    pub async fn begin(address: &str, request: WatchRequest) -> Result<Watch, Failure> {
        let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|error| {
            Failure::usage(format!("'{address}' is no gRPC address: {error}"))
                .hint("an address looks like http://127.0.0.1:9090")
        })?;
        let channel = endpoint.connect().await.map_err(|error| {
            let text = format!("no node answers at {address}: {error}");
            Failure::new(Exit::Unreachable, "unreachable", text).retryable()
        })?;
        let mut grpc = Grpc::new(channel);
        let failure = |status: Status| failure(address, &status);
        let ready = grpc.ready().await;
        ready.map_err(|error| failure(Status::unavailable(error.to_string())))?;
        let codec = ProstCodec::<WatchRequest, WatchEvent>::default();
        let path = PathAndQuery::from_static("/cyberd.v1.Watch/Events");
        let answer = grpc.server_streaming(Request::new(request), path, codec).await;
        let events = answer.map_err(failure)?.into_inner();
        Ok(Watch { events, address: address.to_owned() })
    }

    /// The next event, heartbeats included; `None` when the node has ended the stream.
    ///
    /// # Errors
    /// When the connection breaks or the node gives up.
    pub async fn next(&mut self) -> Result<Option<WatchEvent>, Failure> {
        self.events.message().await.map_err(|status| failure(&self.address, &status))
    }
}

fn failure(address: &str, status: &Status) -> Failure {
    let exit = match status.code() {
        tonic::Code::Unavailable => Exit::Unreachable,
        _ => Exit::Error,
    };
    let text = format!("{address}: {} (gRPC {})", status.message(), status.code() as i32);
    Failure::new(exit, "grpc", text)
}
