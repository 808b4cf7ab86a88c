//! `/cyberd/v1/genesis.json` and `/cyberd/v1/genesis.bin`: the node's genesis for those who join,
//! streamed from the files. A few downloads at a time, so that they never take the node's disk and
//! threads; others are asked to come again.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::Router;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Downloads at the same time.
const DOWNLOADS_MAX: usize = 4;
/// Bytes read at a time.
const PART_BYTES: usize = 256 << 10;

struct Parts {
    folder: PathBuf,
    places: Arc<Semaphore>,
}

/// The two routes, over the folder with the files.
pub fn routes(folder: PathBuf) -> Router {
    let parts = Arc::new(Parts { folder, places: Arc::new(Semaphore::new(DOWNLOADS_MAX)) });
    Router::new()
        .route("/cyberd/v1/genesis.json", get(document))
        .route("/cyberd/v1/genesis.bin", get(bulk))
        .with_state(parts)
}

async fn document(State(parts): State<Arc<Parts>>) -> Response {
    send(&parts, "genesis.json", "application/json").await
}

async fn bulk(State(parts): State<Arc<Parts>>) -> Response {
    send(&parts, "genesis.bin", "application/octet-stream").await
}

async fn send(parts: &Parts, name: &'static str, kind: &'static str) -> Response {
    let Ok(place) = parts.places.clone().try_acquire_owned() else {
        let text = "too many downloads at a time, come again in a minute\n";
        let headers = [(header::RETRY_AFTER, "60")];
        return (StatusCode::SERVICE_UNAVAILABLE, headers, text).into_response();
    };
    let path = parts.folder.join(name);
    let opened = tokio::task::spawn_blocking(move || File::open(path)).await;
    match opened {
        Ok(Ok(file)) => {
            let headers = [(header::CONTENT_TYPE, kind)];
            (headers, Body::from_stream(stream(file, place))).into_response()
        }
        _ => (StatusCode::NOT_FOUND, format!("this node has no {name}\n")).into_response(),
    }
}

fn stream(
    file: File,
    place: OwnedSemaphorePermit,
) -> impl futures::Stream<Item = std::io::Result<Bytes>> {
    futures::stream::try_unfold((file, place), |(mut file, place)| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut part = vec![0; PART_BYTES];
            let bytes = file.read(&mut part)?;
            part.truncate(bytes);
            Ok::<_, std::io::Error>((file, part))
        });
        let (file, part) = read.await.map_err(std::io::Error::other)??;
        match part.is_empty() {
            true => Ok(None),
            false => Ok(Some((Bytes::from(part), (file, place)))),
        }
    })
}
