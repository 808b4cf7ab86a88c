//! Searches answered from our own lists (`crate::search::transactions`), and the reading again of
//! what those lists need from before the node's start.

use super::cometbft::Page;
use super::{conditions, Remote};
use crate::query::{QueryError, Status};
use crate::search::transactions::{Part, Sketch, Slice};
use crate::types::sha256;
use futures::future::try_join_all;
use std::time::Duration;
use tendermint::block::Height;
use tendermint_rpc::endpoint::tx;

/// Between looks whether the first block came, and after a failure.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Between blocks of the past: reading them again must not be felt.
const BREATH: Duration = Duration::from_millis(1);

impl Remote {
    /// The transactions a query wants and how many there are in all; none: it is CometBFT's to
    /// answer.
    pub(super) async fn search_lists(
        &self,
        query: &str,
        page: Page,
    ) -> Result<Option<(Vec<tx::Response>, u64)>, QueryError> {
        let (queries, query) = (self.queries.clone(), query.to_owned());
        let found = tokio::task::spawn_blocking(move || {
            let Ok(snapshot) = queries.at(0) else { return Ok(None) };
            let context = queries.context(&snapshot);
            let Some(wanted) = conditions::wanted(&context, &query) else { return Ok(None) };
            let Ok(view) = context.index.view(&snapshot) else { return Ok(None) };
            let rows = usize::from(page.rows);
            let skip = (page.number as usize).saturating_sub(1).saturating_mul(rows);
            let slice = Slice { skip, take: rows, newest_first: page.newest_first };
            let mut step = 0;
            let tick = || {
                step += 1;
                Ok(context.deadline.check_step(step)?)
            };
            context.index.transactions().find(&view, &wanted, slice, tick).map_err(QueryError::from)
        });
        let found = found
            .await
            .map_err(|error| QueryError::Status(Status::Internal, format!("panic: {error}")))??;
        let Some(found) = found else { return Ok(None) };
        let rows = found.hashes.iter().map(|hash| self.cometbft.transaction(*hash));
        let rows: Option<Vec<tx::Response>> = try_join_all(rows).await?.into_iter().collect();
        // CometBFT indexes a moment after the application commits; then its own answer is due.
        Ok(rows.map(|rows| (rows, found.total as u64)))
    }

    /// Reads the blocks before the first one that this process saw. Ends when that is done.
    pub async fn fill(&self) {
        let index = self.queries.index();
        if !index.is_on() {
            return;
        }
        let first = loop {
            match index.transactions().first() {
                Some(first) => break first.0,
                None => tokio::time::sleep(LOOK_AGAIN).await,
            }
        };
        let mut part = Part::default();
        let mut next = match first {
            // The chain began with this process.
            1 => 1,
            _ => self.earliest().await,
        };
        while next < first {
            match self.sketches(next).await {
                Ok(sketches) => {
                    part.append(sketches);
                    next += 1;
                    tokio::time::sleep(BREATH).await;
                }
                Err(error) => {
                    let (_, reason) = error.status();
                    tracing::debug!(height = next, reason, "transactions of the past wait");
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
        }
        index.transactions().set_before(part);
        tracing::info!(from = first, "transactions are searched in lists of our own");
    }

    /// The first block CometBFT has.
    async fn earliest(&self) -> u64 {
        loop {
            match self.cometbft.status().await {
                Ok(status) => return status.sync_info.earliest_block_height.value().max(1),
                Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// What the transactions of a block did.
    async fn sketches(&self, height: u64) -> Result<Vec<Sketch>, QueryError> {
        let at = Height::try_from(height).map_err(|error| QueryError::Plain(error.to_string()))?;
        let block = self.cometbft.block(Some(at)).await?;
        if block.block.data.is_empty() {
            return Ok(Vec::new());
        }
        let results = self.cometbft.results(at).await?.txs_results.unwrap_or_default();
        let sketch = |(bytes, result): (&Vec<u8>, &tendermint::abci::types::ExecTxResult)| {
            let mut sketch = Sketch::new(sha256(bytes));
            for event in &result.events {
                let texts = event.attributes.iter();
                let pair = |it| attribute(it);
                sketch.add(&event.kind, texts.filter_map(pair));
            }
            sketch
        };
        Ok(block.block.data.iter().zip(&results).map(sketch).collect())
    }
}

fn attribute(attribute: &tendermint::abci::EventAttribute) -> Option<(&str, &str)> {
    Some((attribute.key_str().ok()?, attribute.value_str().ok()?))
}
