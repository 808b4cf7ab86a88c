//! What an import will come to, by neuron: transactions, bytes, bandwidth. Numbers for people
//! before anything is sent, and the sizes of transactions while it runs.

use super::journal::{Done, Journal};
use super::plan::{LanePlan, Plan};
use crate::client::failure::Failure;
use crate::client::rpc::Client;
use crate::client::transaction::{MAX_BYTES, MAX_MESSAGES};
use crate::types::Decimal;
use cyber_proto::cyber::bandwidth::v1beta1::Params;
use std::path::Path;

/// Links of one transaction when everything allows it: two messages of the default size.
const LINKS_PER_TRANSACTION: u64 = 1_000;
/// A link on the wire: two CIDv0 of 46 bytes, three tags, three lengths.
const LINK_BYTES: u64 = 98;
/// The rest of a message: neuron, type URL, tags, flag.
const MESSAGE_BYTES: u64 = 128;
/// The rest of a transaction: signature, key, fee, heights.
const TRANSACTION_BYTES: u64 = 256;
/// Links whose existence is asked for at once.
const ASKED_AT_ONCE: usize = 1_000;

/// Costs of a chain, and the sizes that follow.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Costs {
    params: Params,
    pub price: Decimal,
}

impl Costs {
    pub async fn ask(client: &Client) -> Result<Costs, Failure> {
        Ok(Costs { params: client.bandwidth_params().await?, price: client.price().await? })
    }

    /// Links of one message.
    pub fn per_message(&self) -> usize {
        usize::try_from(self.params.max_links_per_message).unwrap_or(usize::MAX).max(1)
    }

    /// Links of one transaction: as many as messages, bytes and a block's bandwidth allow.
    pub fn per_transaction(&self) -> usize {
        let by_messages = (self.per_message() as u64).saturating_mul(MAX_MESSAGES as u64);
        let mut links = LINKS_PER_TRANSACTION.min(by_messages);
        let block = self.params.max_block_bandwidth;
        while links > 1 && (self.bytes(links) > MAX_BYTES as u64 || self.raw(links) > block) {
            links = links * 3 / 4;
        }
        links as usize
    }

    /// Bytes of a transaction of so many links, from above.
    fn bytes(&self, links: u64) -> u64 {
        let messages = links.div_ceil(self.per_message() as u64);
        TRANSACTION_BYTES + messages * MESSAGE_BYTES + links * LINK_BYTES
    }

    /// Raw units of a transaction of so many new links, from above.
    pub fn raw(&self, links: u64) -> u64 {
        let params = &self.params;
        params.tx_cost + params.byte_cost * self.bytes(links) + params.link_cost * links
    }

    /// Units it is charged at the present price.
    pub fn units(&self, raw: u64) -> u64 {
        let atomics = u128::from(raw).saturating_mul(self.price.atomics());
        u64::try_from(atomics.div_ceil(Decimal::ONE_ATOMICS)).unwrap_or(u64::MAX)
    }

    /// The most links of one transaction that so many units pay for.
    pub fn links_for(&self, units: u64) -> usize {
        let mut links = self.per_transaction() as u64;
        while links > 0 && self.units(self.raw(links)) > units {
            links = if links < 8 { links - 1 } else { links * 7 / 8 };
        }
        links as usize
    }

    /// Blocks until so many units more have recovered, for a neuron with this most.
    pub fn blocks_for(&self, units: u64, max: u64) -> u64 {
        let period = u128::from(self.params.recovery_period);
        let blocks = (u128::from(units) * period).checked_div(u128::from(max));
        blocks.map_or(u64::MAX, |blocks| u64::try_from(blocks).unwrap_or(u64::MAX) + 1)
    }
}

/// What an import will come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    pub lanes: Vec<LaneEstimate>,
    pub price: Decimal,
    pub height: u64,
}

/// The part of one neuron.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneEstimate {
    pub key: String,
    pub neuron: String,
    /// Links in the file.
    pub links: u64,
    /// Known to be on the chain from an earlier run.
    pub done: u64,
    /// Those of the rest that the chain has. They are passed over.
    pub existing: u64,
    pub messages: u64,
    pub transactions: u64,
    pub bytes: u64,
    /// Units of bandwidth, all links new, at the present price.
    pub cost: u64,
    pub remained: u64,
    pub max: u64,
    /// Blocks it will wait for bandwidth, at the present price.
    pub blocks_to_wait: u64,
}

impl Estimate {
    /// Asks the chain what the plan would come to. Nothing is sent.
    pub async fn make(client: &Client, home: &Path, plan: &Plan) -> Result<Estimate, Failure> {
        let costs = Costs::ask(client).await?;
        let status = client.status().await?;
        let (_, done) = Journal::open(home, &status.chain_id, &plan.source)?;
        let mut lanes = Vec::new();
        for lane in &plan.lanes {
            lanes.push(lane_estimate(client, &costs, plan, lane, &done).await?);
        }
        Ok(Estimate { lanes, price: costs.price, height: status.height })
    }
}

async fn lane_estimate(
    client: &Client,
    costs: &Costs,
    plan: &Plan,
    lane: &LanePlan,
    done: &Done,
) -> Result<LaneEstimate, Failure> {
    let open = done.open(&lane.neuron, lane.links.len());
    let links: u64 = open.iter().map(|range| range.len() as u64).sum();
    let mut existing = 0;
    let open: Vec<_> = open.iter().flat_map(|range| &lane.links[range.clone()]).collect();
    for some in open.chunks(ASKED_AT_ONCE) {
        let pairs: Vec<_> = some.iter().map(|link| plan.pair(**link)).collect();
        let exist = client.links_exist(&lane.neuron, &pairs).await?;
        existing += exist.into_iter().filter(|exists| *exists).count() as u64;
    }
    let bandwidth = client.neuron_bandwidth(&lane.neuron).await?;
    let per_transaction = costs.per_transaction() as u64;
    let transactions = links.div_ceil(per_transaction);
    let bytes = transactions * costs.bytes(links.min(per_transaction));
    let last = links % per_transaction;
    let raw = links / per_transaction * costs.raw(per_transaction)
        + if last > 0 { costs.raw(last) } else { 0 };
    let cost = costs.units(raw);
    let short = cost.saturating_sub(bandwidth.remained_value);
    Ok(LaneEstimate {
        key: lane.key.clone(),
        neuron: lane.neuron.clone(),
        links: lane.links.len() as u64,
        done: done.count(&lane.neuron),
        existing,
        messages: links.div_ceil(costs.per_message() as u64),
        transactions,
        bytes: bytes.min(links * LINK_BYTES + transactions * (TRANSACTION_BYTES + MESSAGE_BYTES)),
        cost,
        remained: bandwidth.remained_value,
        max: bandwidth.max_value,
        blocks_to_wait: if short == 0 { 0 } else { costs.blocks_for(short, bandwidth.max_value) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(in crate::client::import) fn costs(price: &str) -> Costs {
        let params = Params {
            recovery_period: 100,
            max_block_bandwidth: 40_000_000,
            network_bandwidth: 2_000_000_000,
            link_cost: 1000,
            tx_cost: 300,
            byte_cost: 1,
            skip_cost: 50,
            max_links_per_message: 500,
            ..Params::default()
        };
        Costs { params, price: Decimal::parse(price).expect("price") }
    }

    #[test]
    fn a_thousand_links_fit_a_transaction_and_the_estimate_is_from_above() {
        let costs = costs("1");
        assert_eq!(costs.per_transaction(), 1_000);
        assert!(costs.bytes(1_000) <= MAX_BYTES as u64);
        let links: Vec<(String, String)> = (0..1_000u32)
            .map(|number| {
                let cid = |text: String| crate::types::cid::particle_of_text(&text).1.to_cid();
                (cid(format!("from {number}")), cid(format!("to {number}")))
            })
            .collect();
        let neuron = "bostrom1phaxpevm5wecex2jyaqty2a4v02qj7qm5n94ug";
        let draft = links.chunks(500).fold(Default::default(), |draft, part| {
            let pairs = part.iter().map(|(from, to)| (from.as_str(), to.as_str()));
            crate::client::transaction::Draft::cyberlinks(draft, neuron, pairs, true)
        });
        let secret = crate::client::keys::Secret::of_bytes(&[1; 32]).expect("secret");
        let key = crate::client::SigningKey::of_secret("k", secret);
        let signing = crate::client::transaction::Signing {
            key: &key,
            chain_id: "c",
            account_number: 1,
            sequence: 1 << 30,
            timeout_height: 1 << 40,
        };
        let bytes = draft.sign(&signing).expect("signed").bytes.len() as u64;
        assert!(bytes <= costs.bytes(1_000), "{bytes} of {}", costs.bytes(1_000));
        assert!(bytes + 500 > costs.bytes(1_000), "{bytes} of {}", costs.bytes(1_000));
    }

    #[test]
    fn transactions_shrink_to_what_a_block_and_a_neuron_can_pay() {
        let mut small = costs("1");
        small.params.max_block_bandwidth = 100_000;
        let links = small.per_transaction() as u64;
        assert!(links > 50 && small.raw(links) <= 100_000);
        let costs = costs("0.01");
        assert_eq!(costs.links_for(u64::MAX), 1_000);
        assert_eq!(costs.links_for(0), 0);
        let links = costs.links_for(1_000) as u64;
        assert!(links > 60 && costs.units(costs.raw(links)) <= 1_000);
        assert_eq!(costs.blocks_for(50, 100), 51);
        assert_eq!(costs.blocks_for(1, 0), u64::MAX);
    }
}
