//! A flood beside the honest load: transactions that must be refused, as many as some connections
//! can carry. It tells how many were refused, with which codes.

use super::make::{Maker, Sender};
use super::send::{Board, Line};
use super::stock::{Form, Mode};
use crate::client::Failure;
use cyber_proto::cosmos::tx::v1beta1::TxRaw;
use prost::Message;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Duplicates made ahead; they are sent again and again.
const DIFFERENT: usize = 2_000;
/// Bytes of an oversized transaction: just above what the chain takes.
const OVERSIZED: usize = 128 * 1024 + 1;
/// Of those so many fit in a request.
const OVERSIZED_BATCH: usize = 20;

/// What is wrong with the flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Flood {
    /// Of accounts without bandwidth.
    Unpayable,
    /// Without a signature.
    Unsigned,
    /// With a signature of something else.
    Forged,
    /// Larger than the chain takes.
    Oversized,
    /// Good once, and then again and again.
    Duplicate,
}

/// What became of a flood.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub kind: Flood,
    pub sent: u64,
    pub sent_per_second: f64,
    /// By code, with one of the texts.
    pub refused: BTreeMap<String, (u64, String)>,
    /// Taken at the door: for duplicates the first of each, else nothing should be.
    pub accepted: u64,
}

impl Flood {
    /// Bad transactions, made of accounts that only the flood uses.
    pub fn transactions(self, maker: &Maker, senders: &mut [Sender]) -> Vec<Vec<u8>> {
        let count = match self {
            Flood::Oversized => OVERSIZED_BATCH,
            Flood::Duplicate => DIFFERENT,
            // An account's place is not used up by what is refused: one for each account.
            Flood::Unpayable | Flood::Unsigned | Flood::Forged => senders.len(),
        };
        let accounts = senders.len();
        (0..count).map(|at| self.transaction(maker, &mut senders[at % accounts])).collect()
    }

    fn transaction(self, maker: &Maker, sender: &mut Sender) -> Vec<u8> {
        let (sequence, address) = (sender.sequence, sender.address.clone());
        let bytes = maker.next(sender, &address);
        if self == Flood::Duplicate {
            return bytes;
        }
        sender.sequence = sequence;
        let mut raw = TxRaw::decode(bytes.as_slice()).expect("made just now");
        match self {
            Flood::Unpayable | Flood::Duplicate => {}
            Flood::Unsigned => raw.signatures.clear(),
            Flood::Forged => raw.signatures = vec![vec![1; 64]],
            Flood::Oversized => raw.body_bytes.resize(OVERSIZED, 0),
        }
        raw.encode_to_vec()
    }
}

/// Sends bad transactions over some connections until sending ends.
///
/// # Errors
/// When a connection breaks.
#[allow(clippy::float_arithmetic, reason = "figures for people")]
pub async fn run(
    kind: Flood,
    authority: String,
    connections: usize,
    transactions: Vec<Vec<u8>>,
    board: Arc<Board>,
) -> Result<Report, Failure> {
    let batch = if kind == Flood::Oversized { OVERSIZED_BATCH } else { 100 };
    let form = Form { mode: Mode::Batch, batch, sync: true };
    let parcels: Vec<_> = transactions.chunks(batch).map(|part| form.parcel(part).bodies).collect();
    let parcels = Arc::new(parcels);
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..connections {
        let (authority, board, parcels) = (authority.clone(), board.clone(), parcels.clone());
        tasks.spawn(async move {
            let mut line = Line::open(&authority, Mode::Batch).await?;
            let (mut sent, mut refused) = (0_u64, BTreeMap::new());
            for place in at.. {
                if board.is_over() {
                    break;
                }
                let answers = line.send(parcels[place % parcels.len()].clone()).await?;
                sent += answers.len() as u64;
                for (code, text) in answers.iter().filter_map(|answer| answer.refusal()) {
                    refused.entry(code).or_insert_with(|| (0, text)).0 += 1;
                }
            }
            Ok::<_, Failure>((sent, refused))
        });
    }
    let (mut sent, mut refused) = (0, BTreeMap::<String, (u64, String)>::new());
    while let Some(task) = tasks.join_next().await {
        let (more, codes) = task.map_err(|error| Failure::local(error.to_string()))??;
        sent += more;
        for (code, (count, text)) in codes {
            refused.entry(code).or_insert_with(|| (0, text)).0 += count;
        }
    }
    let seconds = board.begin.elapsed().as_secs_f64().max(0.001);
    let known: u64 = refused.values().map(|(count, _)| count).sum();
    let sent_per_second = sent as f64 / seconds;
    Ok(Report { kind, sent, sent_per_second, refused, accepted: sent - known })
}
