//! `cosmos.tx.v1beta1.Service`, as far as it needs CometBFT, in the words of SDK 0.47; searches
//! take the parameters of 0.50 too.

use super::cometbft::Page;
use super::{response, Remote};
use crate::error::code;
use crate::query::{QueryError, Status};
use crate::types::sha256;
use cyber_proto::cosmos::base::abci::v1beta1::TxResponse;
use cyber_proto::cosmos::base::query::v1beta1::{PageRequest, PageResponse};
use cyber_proto::cosmos::tx::v1beta1 as proto;
use futures::future::try_join_all;
use tendermint::block::Height;
use tendermint_rpc::endpoint::tx;

/// Rows of a page when the request names no limit, and the most CometBFT gives.
const ROWS: u64 = 100;
/// The longest query CometBFT takes, in bytes.
const QUERY_BYTES_MAX: usize = 512;

impl Remote {
    /// A transaction by its hash.
    pub(super) async fn get_tx(
        &self,
        request: proto::GetTxRequest,
    ) -> Result<proto::GetTxResponse, QueryError> {
        let text = request.hash;
        if text.is_empty() {
            return Err(QueryError::invalid("tx hash cannot be empty"));
        }
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        let hash = hex::decode(digits).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let hash = hash.ok_or_else(|| {
            let length = text.len();
            QueryError::invalid(format!("a tx hash has 64 hex digits, got {length}: {text:.80}"))
        })?;
        let found = self.cometbft.transaction(hash).await?;
        let found = found.ok_or_else(|| QueryError::not_found(format!("tx not found: {text}")))?;
        let time = self.cometbft.time(found.height).await?;
        let tx_response = Some(response::of_included(&found, time));
        Ok(proto::GetTxResponse { tx: response::decoded(&found.tx), tx_response })
    }

    /// Hands a transaction over. A refusal by CheckTx is an answer, not an error.
    pub(super) async fn broadcast_tx(
        &self,
        request: proto::BroadcastTxRequest,
    ) -> Result<proto::BroadcastTxResponse, QueryError> {
        use proto::BroadcastMode as Mode;
        if request.tx_bytes.is_empty() {
            return Err(QueryError::invalid("invalid empty tx"));
        }
        let mode = request.mode();
        let txhash = hex::encode_upper(sha256(&request.tx_bytes));
        let tx_response = match mode {
            Mode::Sync => {
                let answer = self.cometbft.broadcast_sync(request.tx_bytes).await?;
                answer.map(|answer| TxResponse {
                    txhash: txhash.clone(),
                    codespace: answer.codespace,
                    code: answer.code.value(),
                    data: hex::encode_upper(&answer.data),
                    raw_log: answer.log,
                    ..TxResponse::default()
                })
            }
            Mode::Async => {
                let answer = self.cometbft.broadcast_async(request.tx_bytes).await?;
                answer.map(|_| TxResponse { txhash: txhash.clone(), ..TxResponse::default() })
            }
            #[allow(deprecated, reason = "who still sends it is told what to send")]
            Mode::Block | Mode::Unspecified => {
                let name = if mode == Mode::Unspecified { "unspecified" } else { "block" };
                let text = format!("unsupported return type {name}; supported types: sync, async");
                return Err(QueryError::Plain(text));
            }
        };
        let tx_response = match tx_response {
            Ok(response) => response,
            Err(text) => not_taken(text, txhash)?,
        };
        Ok(proto::BroadcastTxResponse { tx_response: Some(tx_response) })
    }

    /// Transactions whose events match all conditions.
    pub(super) async fn get_txs_event(
        &self,
        request: proto::GetTxsEventRequest,
    ) -> Result<proto::GetTxsEventResponse, QueryError> {
        let query = conditions(&request)?;
        let page = page(&request)?;
        if let Some((rows, total)) = self.search_lists(&query, page).await? {
            return self.answer_of(rows, total).await;
        }
        let found = self.cometbft.search(query, page).await;
        let found = match found {
            // CometBFT refuses pages past the end.
            Err(QueryError::Status(_, text)) if text.contains("page should be within") => None,
            Err(QueryError::Status(Status::Internal, text)) if is_about_the_query(&text) => {
                return Err(QueryError::invalid(text));
            }
            found => Some(found?),
        };
        let (rows, total) = match found {
            Some(found) => (found.txs, found.total_count.into()),
            None => (Vec::new(), 0),
        };
        self.answer_of(rows, total).await
    }

    /// What was found, with the times of its blocks.
    async fn answer_of(
        &self,
        rows: Vec<tx::Response>,
        total: u64,
    ) -> Result<proto::GetTxsEventResponse, QueryError> {
        let times = rows.iter().map(|row| self.cometbft.time(row.height));
        let times = try_join_all(times).await?;
        let txs = rows.iter().map(|row| response::decoded(&row.tx).unwrap_or_default()).collect();
        let responses = rows.iter().zip(times).map(|(row, time)| response::of_included(row, time));
        Ok(proto::GetTxsEventResponse {
            txs,
            tx_responses: responses.collect(),
            total,
            ..Default::default()
        })
    }

    /// A block and a page of its transactions.
    pub(super) async fn get_block_with_txs(
        &self,
        request: proto::GetBlockWithTxsRequest,
    ) -> Result<proto::GetBlockWithTxsResponse, QueryError> {
        let latest = self.cometbft.latest_height().await?;
        let height = u64::try_from(request.height).ok().filter(|at| (1..=latest).contains(at));
        let height = height.and_then(|at| Height::try_from(at).ok()).ok_or_else(|| {
            let text = format!(
                "requested height {} but height must not be less than 1 or greater than the \
                 current height {latest}",
                request.height
            );
            QueryError::about(code::INVALID_HEIGHT, "invalid height", text)
        })?;
        let found = self.cometbft.block(Some(height)).await?;
        let PageRequest { offset, limit, .. } = request.pagination.unwrap_or_default();
        let total = found.block.data.len() as u64;
        let limit = if limit == 0 { ROWS } else { limit };
        if offset > total {
            let text = format!(
                "out of range: cannot paginate {total} txs with offset {offset} \
                                and limit {limit}"
            );
            return Err(QueryError::about(code::INVALID_REQUEST, "invalid request", text));
        }
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let take = usize::try_from(limit).unwrap_or(usize::MAX);
        let txs = found.block.data.iter().skip(skip).take(take);
        let txs = txs.map(|bytes| response::decoded(bytes).unwrap_or_default()).collect();
        Ok(proto::GetBlockWithTxsResponse {
            txs,
            block_id: Some(super::node::block_id(found.block_id)),
            block: Some(super::node::block(found.block)),
            pagination: Some(PageResponse { next_key: Vec::new(), total }),
        })
    }
}

/// What CometBFT says before it asks the application, as the SDK passes it on.
fn not_taken(text: String, txhash: String) -> Result<TxResponse, QueryError> {
    let number = match () {
        () if text.contains("already exists in cache") => 19,
        () if text.contains("mempool is full") => 20,
        () if text.contains("too large") => code::TX_TOO_LARGE.number,
        () => return Err(QueryError::Status(Status::Internal, text)),
    };
    let codespace = code::TX_TOO_LARGE.space.to_owned();
    Ok(TxResponse { txhash, codespace, code: number, raw_log: text, ..TxResponse::default() })
}

/// The query for CometBFT: that of SDK 0.50, or the events of 0.47 joined.
fn conditions(request: &proto::GetTxsEventRequest) -> Result<String, QueryError> {
    if !request.query.is_empty() {
        return check_length(request.query.clone());
    }
    if request.events.is_empty() {
        return Err(QueryError::invalid("must declare at least one event to search"));
    }
    for event in &request.events {
        // Several conditions in one text are taken too, as 0.50 does.
        if !event.split(" AND ").all(is_condition) {
            let text = format!(
                "invalid event; event {event:.200} should be of the format: \
                 {{eventType}}.{{eventAttribute}}={{value}}"
            );
            return Err(QueryError::invalid(text));
        }
    }
    check_length(request.events.join(" AND "))
}

fn check_length(query: String) -> Result<String, QueryError> {
    match query.len() {
        length if length > QUERY_BYTES_MAX => Err(QueryError::invalid(format!(
            "a query of {length} bytes, at most {QUERY_BYTES_MAX} are right"
        ))),
        _ => Ok(query),
    }
}

/// Whether a text is `TYPE.KEY=VALUE`, with `<=` or `>=` too.
fn is_condition(text: &str) -> bool {
    let word = |text: &str| {
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphabetic() || letter == '_')
    };
    let Some((key, value)) = text.trim().split_once('=') else { return false };
    let key = key.strip_suffix(['<', '>']).unwrap_or(key);
    let Some((kind, key)) = key.split_once('.') else { return false };
    word(kind) && word(key) && !value.is_empty() && !value.contains(char::is_whitespace)
}

/// The page: by `page` and `limit`, or by the old pagination.
fn page(request: &proto::GetTxsEventRequest) -> Result<Page, QueryError> {
    #[allow(deprecated, reason = "the field is served for as long as clients send it")]
    let old = request.pagination.clone().unwrap_or_default();
    let or = |new: u64, old: u64| if new > 0 { new } else { old };
    let rows = match or(request.limit, old.limit) {
        0 => ROWS,
        limit => limit.min(ROWS),
    };
    let number = or(request.page, old.offset / rows + 1);
    let number = u32::try_from(number)
        .map_err(|_| QueryError::invalid(format!("there is no page {number}")))?;
    let newest_first =
        request.order_by() == proto::OrderBy::Desc || (request.order_by == 0 && old.reverse);
    Ok(Page { number, rows: u8::try_from(rows).expect("at most 100"), newest_first })
}

/// Whether CometBFT complains about what was asked.
fn is_about_the_query(text: &str) -> bool {
    ["failed to parse", "got error", "invalid query", "failed to parse query"]
        .iter()
        .any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(events: &[&str], query: &str) -> proto::GetTxsEventRequest {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        proto::GetTxsEventRequest { events, query: query.into(), ..Default::default() }
    }

    #[test]
    fn old_and_new_conditions_become_one_query() {
        let two = ["cyberlink.particleFrom='Qm'", "cyberlink.neuron='n'"];
        let joined = "cyberlink.particleFrom='Qm' AND cyberlink.neuron='n'";
        assert_eq!(conditions(&request(&two, "")).expect("right"), joined);
        assert_eq!(conditions(&request(&[joined], "")).expect("right"), joined);
        assert_eq!(conditions(&request(&[], "tx.height>5")).expect("right"), "tx.height>5");
        for wrong in ["", "a", "a.b", "a.b=", "a.b='x y'", "a.b='x' OR a.c='y'", "a.1=b", ".b=c"] {
            let error = conditions(&request(&[wrong], "")).expect_err(wrong);
            assert_eq!(error.status().0, 3, "{wrong}");
        }
        let none = conditions(&request(&[], "")).expect_err("nothing to search for");
        assert_eq!(none.status().1, "must declare at least one event to search");
        let long = "a.b=".to_owned() + &"x".repeat(600);
        assert_eq!(conditions(&request(&[], &long)).expect_err("too long").status().0, 3);
    }

    #[test]
    #[allow(deprecated, reason = "clients send it")]
    fn pages_are_taken_in_both_spellings() {
        let mut wanted = request(&[], "a.b=c");
        let first = Page { number: 1, rows: 100, newest_first: false };
        assert_eq!(page(&wanted).expect("right"), first);
        wanted.pagination = Some(PageRequest { offset: 20, limit: 10, ..Default::default() });
        wanted.set_order_by(proto::OrderBy::Desc);
        let third = Page { number: 3, rows: 10, newest_first: true };
        assert_eq!(page(&wanted).expect("right"), third);
        (wanted.page, wanted.limit) = (2, 1_000_000_000);
        let second = Page { number: 2, rows: 100, newest_first: true };
        assert_eq!(page(&wanted).expect("right"), second);
        wanted.page = u64::MAX;
        assert!(page(&wanted).is_err());
    }
}
