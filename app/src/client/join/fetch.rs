//! Fetching a file: streamed to disk, hashed on the way, kept only if the hash is the promised one.

use super::network::Place;
use crate::client::{Exit, Failure};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

/// A connection has to stand, and more bytes have to come, within these.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const MORE_WITHIN: Duration = Duration::from_secs(30);

/// A client for servers of anybody: nothing waits for ever.
///
/// # Errors
/// When TLS cannot be set up.
pub fn http() -> Result<reqwest::Client, Failure> {
    let client = reqwest::Client::builder().connect_timeout(CONNECT_WITHIN).build();
    client.map_err(|error| Failure::local(format!("HTTP: {error}")))
}

fn unreachable(url: &str, reason: &str) -> Failure {
    Failure::new(Exit::Unreachable, "fetch", format!("{url}: {reason}")).retryable()
}

/// Reads something small, at most `most` bytes.
///
/// # Errors
/// Not reachable, not there, too long.
pub async fn small(http: &reqwest::Client, place: &Place, most: u64) -> Result<Vec<u8>, Failure> {
    let mut all = Vec::new();
    let mut take = |bytes: &[u8]| {
        all.extend_from_slice(bytes);
        Ok(())
    };
    stream(http, place, most, &mut take).await?;
    Ok(all)
}

/// Fetches to `path` and makes it durable; nothing stays there if the hash is another.
///
/// # Errors
/// Not reachable, too long, another hash than `sha256`; the disk's.
pub async fn file(
    http: &reqwest::Client,
    place: &Place,
    path: &Path,
    most: u64,
    sha256: &str,
) -> Result<u64, Failure> {
    let at_path = |error: std::io::Error| Failure::local(format!("{}: {error}", path.display()));
    let mut out = File::create(path).map_err(at_path)?;
    let mut hasher = Sha256::new();
    let mut take = |bytes: &[u8]| {
        hasher.update(bytes);
        out.write_all(bytes).map_err(at_path)
    };
    let streamed = stream(http, place, most, &mut take).await;
    let finished = streamed.and_then(|size| {
        let found = hex::encode(hasher.finalize());
        match found.eq_ignore_ascii_case(sha256) {
            true => out.sync_all().map_err(at_path).map(|()| size),
            false => Err(Failure::new(
                Exit::Error,
                "wrong-hash",
                format!("{place}: its SHA-256 is {found}, the network file says {sha256}"),
            )
            .hint(
                "one of the two is another chain's, or was tampered with: ask whoever gave you \
                 the network file",
            )),
        }
    });
    if finished.is_err() {
        let _ = std::fs::remove_file(path);
    }
    finished
}

async fn stream(
    http: &reqwest::Client,
    place: &Place,
    most: u64,
    take: &mut (dyn FnMut(&[u8]) -> Result<(), Failure> + Send),
) -> Result<u64, Failure> {
    let mut size = 0u64;
    let mut more = |bytes: &[u8]| {
        size += bytes.len() as u64;
        match size > most {
            true => Err(Failure::local(format!("{place}: more than {most} bytes"))),
            false => take(bytes),
        }
    };
    match place {
        Place::File(path) => {
            let at_path =
                |error: std::io::Error| Failure::local(format!("{}: {error}", path.display()));
            let mut file = File::open(path).map_err(at_path)?;
            let mut buffer = vec![0; 1 << 20];
            loop {
                match file.read(&mut buffer).map_err(at_path)? {
                    0 => break,
                    bytes => more(&buffer[..bytes])?,
                }
            }
        }
        Place::Url(url) => {
            let late = |_| unreachable(url, "nothing came for 30 s");
            let broken = |error: reqwest::Error| unreachable(url, &error.to_string());
            let answer = tokio::time::timeout(MORE_WITHIN, http.get(url).send()).await;
            let mut answer = answer.map_err(late)?.map_err(broken)?;
            if !answer.status().is_success() {
                let status = answer.status();
                return Err(unreachable(url, &format!("the server answers {status}")));
            }
            loop {
                let chunk = tokio::time::timeout(MORE_WITHIN, answer.chunk()).await;
                match chunk.map_err(late)?.map_err(broken)? {
                    Some(bytes) => more(&bytes)?,
                    None => break,
                }
            }
        }
    }
    Ok(size)
}
