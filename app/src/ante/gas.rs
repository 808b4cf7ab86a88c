//! Gas: a formula over the transaction (`Tx::gas`), exact because it enters the results hash.

use crate::error::{code, Refusal};
use crate::tx::Tx;

/// The limit must be positive and hold what the formula says.
pub fn check(tx: &Tx) -> Result<(), Refusal> {
    let (limit, used) = (tx.fee.gas_limit, tx.gas());
    if limit == 0 {
        let text = "must provide positive gas: invalid gas limit";
        return Err(Refusal::new(code::INVALID_GAS_LIMIT, text));
    }
    if limit >= used {
        return Ok(());
    }
    let location = if limit < tx.size_gas() { "txSize" } else { "messages" };
    let text = format!(
        "out of gas in location: {location}; gasWanted: {limit}, gasUsed: {used}: out of gas"
    );
    Err(Refusal::new(code::OUT_OF_GAS, text))
}
