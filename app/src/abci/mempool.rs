//! The mempool connection: checks in batches, one answer each, in order. A panic costs the
//! transaction that caused it an error and nobody else anything.

use super::convert::{self, wire};
use super::Application;
use crate::engine::{CheckRequest, TxResult};
use crate::error::{code, Refusal};
use crate::telemetry;

/// Checks transactions; as many answers as requests.
pub fn check_txs(
    application: &dyn Application,
    requests: Vec<wire::RequestCheckTx>,
) -> Vec<wire::ResponseCheckTx> {
    let requests: Vec<_> = requests.into_iter().map(convert::check_request).collect();
    let mut results = Vec::with_capacity(requests.len());
    let mut rest = requests.len();
    while results.len() < requests.len() {
        let from = results.len();
        let batch = &requests[from..requests.len().min(from + rest)];
        if let Err(panic) = check_batch(application, batch, &mut results) {
            // Up to here all is well. What comes next is checked one by one, so that it is the
            // culprit alone that gets the error.
            if batch.len() == 1 {
                results.push(panicked(&panic));
            }
            rest = 1;
        }
    }
    telemetry::txs_checked(results.iter().map(|result| result.code));
    results.into_iter().map(convert::checked).collect()
}

/// One call of the application; the text of its panic if it panicked.
fn check_batch(
    application: &dyn Application,
    batch: &[CheckRequest],
    results: &mut Vec<TxResult>,
) -> Result<(), String> {
    let before = results.len();
    let caught = telemetry::panics::catch(|| application.check_txs(batch, results));
    let made = results.len() - before;
    if caught.is_err() && made < batch.len() {
        return caught;
    }
    assert_eq!(made, batch.len(), "one result for each transaction checked");
    Ok(())
}

fn panicked(text: &str) -> TxResult {
    tracing::error!(panic = text, "check of a transaction panicked");
    TxResult::refused(Refusal::new(code::PANIC, format!("{text}: panic")), 0, 0)
}

/// The answer to a request too long to be looked at.
pub fn too_long(text: String) -> wire::ResponseCheckTx {
    let refusal = Refusal::new(code::TX_TOO_LARGE, format!("{text}: tx too large"));
    convert::checked(TxResult::refused(refusal, 0, 0))
}

/// The answer to a request that is no protobuf.
pub fn unreadable(text: String) -> wire::ResponseCheckTx {
    let refusal = Refusal::new(code::TX_PARSE, format!("{text}: tx parse error"));
    convert::checked(TxResult::refused(refusal, 0, 0))
}
