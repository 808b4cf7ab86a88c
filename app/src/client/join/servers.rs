//! What the servers of a network say, and which height and hash to trust for state sync: a light
//! client believes nothing but one header, so that one must not come from one server alone.

use super::network::NetworkFile;
use crate::client::{Exit, Failure};
use crate::engine::upgrade::NEWEST;
use base64::prelude::{Engine as _, BASE64_STANDARD};
use serde_json::Value;
use std::time::Duration;

/// A server that says nothing for so long is dead.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// A snapshot is offered when so many heights follow it.
const SNAPSHOT_AFTER: u64 = 2;

/// A height and the hash of its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    pub height: u64,
    /// Upper-case hexadecimal.
    pub hash: String,
}

impl Trust {
    /// Reads `HEIGHT:HASH`.
    ///
    /// # Errors
    /// A text: what is right.
    pub fn parse(text: &str) -> Result<Trust, String> {
        let right = || format!("'{text}': HEIGHT:HASH is right, the hash with 64 digits");
        let (height, hash) = text.split_once(':').ok_or_else(right)?;
        let is_hash = hash.len() == 64 && hex::decode(hash).is_ok();
        let height = height.parse().ok().filter(|height| *height > 0 && is_hash);
        let height = height.ok_or_else(right)?;
        Ok(Trust { height, hash: hash.to_uppercase() })
    }
}

/// What one server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub rpc: String,
    pub chain_id: String,
    pub latest: u64,
    pub earliest: u64,
    pub app_version: u64,
    /// The newest snapshot it offers, if it tells.
    pub snapshot: Option<u64>,
}

/// The servers that answered, and what the others said.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub servers: Vec<Server>,
    pub dead: Vec<String>,
}

/// Asks all servers at once.
pub async fn ask(http: &reqwest::Client, network: &NetworkFile) -> Asked {
    let all = network.rpc.iter().map(|rpc| server(http, rpc));
    let mut asked = Asked::default();
    for answer in futures::future::join_all(all).await {
        match answer {
            Ok(server) => asked.servers.push(server),
            Err(failure) => asked.dead.push(failure.message),
        }
    }
    asked
}

async fn server(http: &reqwest::Client, rpc: &str) -> Result<Server, Failure> {
    let status = get(http, rpc, "status").await?;
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<u64>().ok());
    let sync = &status["sync_info"];
    let strange = || unreachable(rpc, "its answer is not that of a CometBFT node");
    let snapshots = get(http, rpc, "abci_query?path=%22/cyberd/snapshots%22").await.ok();
    let info = get(http, rpc, "abci_info").await?;
    Ok(Server {
        rpc: rpc.to_owned(),
        chain_id: status["node_info"]["network"].as_str().ok_or_else(strange)?.to_owned(),
        latest: number(&sync["latest_block_height"]).ok_or_else(strange)?,
        earliest: number(&sync["earliest_block_height"]).unwrap_or(1).max(1),
        app_version: number(&info["response"]["app_version"]).unwrap_or(0),
        snapshot: snapshots.and_then(|answer| newest(&answer)),
    })
}

/// The newest height of a list of snapshots.
fn newest(answer: &Value) -> Option<u64> {
    let bytes = BASE64_STANDARD.decode(answer["response"]["value"].as_str()?).ok()?;
    let list: Value = serde_json::from_slice(&bytes).ok()?;
    list.as_array()?.iter().filter_map(|snapshot| snapshot["height"].as_u64()).max()
}

async fn get(http: &reqwest::Client, rpc: &str, method: &str) -> Result<Value, Failure> {
    let url = format!("{}/{method}", rpc.trim_end_matches('/'));
    let asked = async { http.get(&url).send().await?.bytes().await };
    let bytes = tokio::time::timeout(ANSWER_WITHIN, asked).await;
    let bytes = bytes.map_err(|_| unreachable(rpc, "no answer within 8 s"))?;
    let bytes = bytes.map_err(|error| unreachable(rpc, &error.to_string()))?;
    let answer: Value = serde_json::from_slice(&bytes)
        .map_err(|error| unreachable(rpc, &format!("its answer is no JSON: {error}")))?;
    match answer.get("error").filter(|error| !error.is_null()) {
        Some(error) => Err(unreachable(rpc, &format!("it answers {error}"))),
        None => Ok(answer["result"].clone()),
    }
}

fn unreachable(rpc: &str, reason: &str) -> Failure {
    Failure::new(Exit::Unreachable, "server", format!("{rpc}: {reason}")).retryable()
}

/// Refuses servers that are not of the network, and too few of them.
///
/// # Errors
/// Fewer than two answer (one suffices with a block of the user's), one is of another chain or
/// runs a newer state machine.
pub fn check(asked: &Asked, network: &NetworkFile, wanted: Option<&Trust>) -> Result<(), Failure> {
    let refuse = |text: String| Failure::new(Exit::Error, "server", text);
    for server in &asked.servers {
        if server.chain_id != network.chain_id {
            let (rpc, theirs, right) = (&server.rpc, &server.chain_id, &network.chain_id);
            return Err(refuse(format!(
                "{rpc} is of the chain {theirs}, the network file is of {right}"
            )));
        }
        if server.app_version > network.app_version.max(NEWEST) {
            let (rpc, theirs, said) = (&server.rpc, server.app_version, network.app_version);
            return Err(refuse(format!(
                "{rpc} runs version {theirs} of the state machine, the network file says {said}: \
                 the network was upgraded; get the new cyberd and a new network file"
            )));
        }
    }
    let least = if wanted.is_some() { 1 } else { 2 };
    let (answer, all) = (asked.servers.len(), network.rpc.len());
    if answer >= least {
        return Ok(());
    }
    let mut text = format!("{answer} of {all} servers answer, {least} are needed");
    for reason in &asked.dead {
        text += &format!("; {reason}");
    }
    let hint = "with a block you have from somebody you trust, --trust HEIGHT:HASH makes one \
                server enough; --block-sync needs none";
    Err(Failure::new(Exit::Unreachable, "server", text).hint(hint).retryable())
}

/// The height to trust: the newest snapshot's minus one, where every server still has its block;
/// none if there is no snapshot yet.
pub fn height(servers: &[Server], interval: u64) -> Option<u64> {
    let earliest = servers.iter().map(|server| server.earliest).max()?;
    let latest = servers.iter().map(|server| server.latest).min()?;
    let told = servers.iter().filter_map(|server| server.snapshot).max();
    let interval = interval.max(1);
    let derived = latest.saturating_sub(SNAPSHOT_AFTER) / interval * interval;
    let height = told.unwrap_or(derived).saturating_sub(1).max(earliest);
    (told.unwrap_or(derived) > 0 && height < latest).then_some(height)
}

/// The hash of a height that at least two servers give, and none another; with the user's own,
/// that one server gives.
///
/// # Errors
/// They disagree, the height is below what a server still has, or too few know it.
pub async fn trust(
    http: &reqwest::Client,
    servers: &[Server],
    height: u64,
    wanted: Option<&Trust>,
) -> Result<Trust, Failure> {
    if let Some(server) = servers.iter().find(|server| height < server.earliest) {
        let (rpc, earliest) = (&server.rpc, server.earliest);
        return Err(Failure::new(
            Exit::Error,
            "trust",
            format!("height {height} is too low: the first block {rpc} still has is {earliest}"),
        )
        .hint("take a higher one, or leave --trust away"));
    }
    let hashes = futures::future::join_all(servers.iter().map(|server| async {
        let commit = get(http, &server.rpc, &format!("commit?height={height}")).await.ok()?;
        let hash = commit["signed_header"]["commit"]["block_id"]["hash"].as_str()?;
        Some((server.rpc.clone(), hash.to_uppercase()))
    }))
    .await;
    let hashes: Vec<(String, String)> = hashes.into_iter().flatten().collect();
    agreed(&hashes, height, wanted)
}

/// What the hashes of the servers come to.
fn agreed(
    hashes: &[(String, String)],
    height: u64,
    wanted: Option<&Trust>,
) -> Result<Trust, Failure> {
    let refuse = |text: String| Failure::new(Exit::Error, "trust", text);
    let own = wanted.map(|trust| ("--trust".to_owned(), trust.hash.clone()));
    let Some((who, hash)) = own.or_else(|| hashes.first().cloned()) else {
        return Err(refuse(format!("no server gave the hash of height {height}")).retryable());
    };
    if let Some((other, theirs)) = hashes.iter().find(|(_, other)| *other != hash) {
        return Err(refuse(format!(
            "two hashes of height {height}: {who} says {hash}, {other} says {theirs}"
        ))
        .hint("one of them is wrong or of a fork: do not join before you know which"));
    }
    let least = if wanted.is_some() { 1 } else { 2 };
    match hashes.len() >= least {
        true => Ok(Trust { height, hash }),
        false => {
            let gave = hashes.len();
            let text = format!("{gave} server(s) gave the hash of height {height}, not {least}");
            Err(refuse(text).retryable())
        }
    }
}

#[cfg(test)]
mod tests;
