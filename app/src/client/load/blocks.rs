//! What the chain says afterwards: headers of every block of a run, and of as many blocks as time
//! allows their transactions and results. Read when the load is over, for it is work for the node.

use super::http::{number, Connection};
use super::stock::mark;
use crate::client::Failure;
use base64::prelude::{Engine as _, BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{json, Value};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Headers in one answer, which CometBFT does not exceed.
const HEADERS: u64 = 20;
/// Reading blocks ends after so long; the report says how many were read.
const PATIENCE: Duration = Duration::from_secs(40);

/// A block's header, as far as it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub height: u64,
    pub transactions: u64,
    pub bytes: u64,
}

/// A block that was read.
#[derive(Clone, Debug, Default)]
pub struct Read {
    pub height: u64,
    /// Marks of its transactions.
    pub marks: Vec<u64>,
    /// How many transactions had which code; success is `0`.
    pub codes: BTreeMap<String, u64>,
}

/// The headers of heights `first` to `last`.
///
/// # Errors
/// When the node goes away.
pub async fn headers(
    connection: &mut Connection,
    first: u64,
    last: u64,
) -> Result<Vec<Header>, Failure> {
    let mut headers = Vec::new();
    let mut from = first;
    while from <= last {
        let to = last.min(from + HEADERS - 1);
        let params = json!({ "minHeight": from.to_string(), "maxHeight": to.to_string() });
        let answer = connection.call("blockchain", params).await?;
        let metas = answer["block_metas"].as_array().map(Vec::as_slice).unwrap_or_default();
        headers.extend(metas.iter().map(|meta| Header {
            height: number(&meta["header"]["height"]),
            transactions: number(&meta["num_txs"]),
            bytes: number(&meta["block_size"]),
        }));
        from = to + 1;
    }
    headers.sort_by_key(|header| header.height);
    Ok(headers)
}

/// Reads the blocks of these heights, first those that stand far apart, until time is up.
///
/// # Errors
/// When the node goes away.
pub async fn read(connection: &mut Connection, heights: &[u64]) -> Result<Vec<Read>, Failure> {
    let begin = Instant::now();
    let mut read = Vec::new();
    for height in spread(heights) {
        if begin.elapsed() > PATIENCE {
            break;
        }
        let params = json!({ "height": height.to_string() });
        let block = connection.call("block", params.clone()).await?;
        let transactions = block["block"]["data"]["txs"].as_array();
        let bytes = |text: &Value| BASE64_STANDARD.decode(text.as_str().unwrap_or_default());
        let marks = transactions.into_iter().flatten().filter_map(|text| bytes(text).ok());
        let marks = marks.map(|transaction| mark(&transaction)).collect();
        let results = connection.call("block_results", params).await?;
        let results: Results = serde_json::from_value(results)
            .map_err(|error| Failure::local(format!("results of block {height}: {error}")))?;
        let mut codes = BTreeMap::new();
        for result in results.txs_results.into_iter().flatten() {
            let code = match result.code {
                0 => "0".to_owned(),
                code => format!("{}/{code}", result.codespace),
            };
            *codes.entry(code).or_insert(0) += 1;
        }
        read.push(Read { height, marks, codes });
    }
    Ok(read)
}

#[derive(Deserialize)]
struct Results {
    txs_results: Option<Vec<TransactionResult>>,
}

#[derive(Deserialize)]
struct TransactionResult {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    codespace: String,
}

/// The same heights, each step filling the widest gaps left, so that any beginning of the list
/// speaks for the whole.
fn spread(heights: &[u64]) -> Vec<u64> {
    let mut places: Vec<usize> = (0..heights.len()).collect();
    let bits = usize::BITS - heights.len().leading_zeros();
    places.sort_by_key(|place| place.reverse_bits() >> (usize::BITS - bits.max(1)));
    places.into_iter().map(|place| heights[place]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_beginning_of_the_blocks_read_speaks_for_the_whole() {
        let heights: Vec<u64> = (1..=16).collect();
        let order = spread(&heights);
        assert_eq!(&order[..4], [1, 9, 5, 13]);
        let mut all = order.clone();
        all.sort_unstable();
        assert_eq!(all, heights);
        assert_eq!(spread(&[]), Vec::<u64>::new());
        assert_eq!(spread(&[7]), [7]);
    }
}
