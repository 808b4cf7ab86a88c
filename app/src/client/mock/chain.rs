//! The few rules of the mock chain.

use crate::types::sha256;
use cyber_proto::cosmos::bank::v1beta1::MsgSend;
use cyber_proto::cosmos::base::abci::v1beta1::TxMsgData;
use cyber_proto::cosmos::tx::v1beta1::{AuthInfo, TxBody, TxRaw};
use cyber_proto::cyber::graph::v1beta1::{MsgCyberlink, MsgCyberlinkResponse};
use prost::{Message, Name};
use std::collections::{BTreeMap, BTreeSet};

/// Units a link costs.
pub const LINK_UNITS: u64 = 1_000;

#[derive(Clone, Debug, Default)]
pub struct MockAccount {
    pub number: u64,
    pub sequence: u64,
    pub remained: u64,
    pub max: u64,
    /// As CheckTx sees them.
    check_sequence: u64,
    check_remained: u64,
}

#[derive(Clone, Debug)]
pub struct MockResult {
    pub height: u64,
    pub space: String,
    pub code: u32,
    pub log: String,
    pub data: Vec<u8>,
}

pub struct MockChain {
    pub chain_id: String,
    pub height: u64,
    pub accounts: BTreeMap<String, MockAccount>,
    pub links: BTreeSet<(String, String, String)>,
    pub results: BTreeMap<[u8; 32], MockResult>,
    /// No answer to anything.
    pub down: bool,
    /// Whether `tx` works.
    pub indexed: bool,
    /// Blocks stay empty.
    pub stalled: bool,
    pub minimum_gas_price: String,
    /// Transactions that CheckTx took, in all.
    pub taken: u64,
    mempool: Vec<Vec<u8>>,
    blocks: BTreeMap<u64, Vec<Vec<u8>>>,
}

/// A refusal: codespace, code, log.
pub type MockRefusal = (&'static str, u32, String);

struct Read {
    signer: String,
    sequence: u64,
    timeout_height: u64,
    links: Vec<(String, String)>,
    skip_existing: bool,
    sent: u64,
}

impl MockChain {
    pub fn begin() -> MockChain {
        MockChain {
            chain_id: "mock-1".to_owned(),
            height: 1,
            accounts: BTreeMap::new(),
            links: BTreeSet::new(),
            results: BTreeMap::new(),
            down: false,
            indexed: true,
            stalled: false,
            minimum_gas_price: "0boot".to_owned(),
            taken: 0,
            mempool: Vec::new(),
            blocks: BTreeMap::new(),
        }
    }

    /// An account with this much bandwidth, recovered over 10 blocks.
    pub fn fund(&mut self, address: &str, max: u64) {
        let number = self.accounts.len() as u64;
        let account = MockAccount {
            number,
            remained: max,
            max,
            check_remained: max,
            ..MockAccount::default()
        };
        self.accounts.insert(address.to_owned(), account);
    }

    /// Whether the mempool holds something.
    pub fn waiting(&self) -> usize {
        self.mempool.len()
    }

    /// What a killed node forgets.
    pub fn forget(&mut self) {
        self.mempool.clear();
        self.reset_check();
    }

    fn reset_check(&mut self) {
        for account in self.accounts.values_mut() {
            account.check_sequence = account.sequence;
            account.check_remained = account.remained;
        }
    }

    /// CheckTx; `None` when it is in the mempool already.
    pub fn check(&mut self, bytes: &[u8]) -> Option<Result<(), MockRefusal>> {
        if self.mempool.iter().any(|tx| tx == bytes) {
            return None;
        }
        let outcome = self.admit(bytes);
        if outcome.is_ok() {
            self.mempool.push(bytes.to_vec());
            self.taken += 1;
        }
        Some(outcome)
    }

    fn admit(&mut self, bytes: &[u8]) -> Result<(), MockRefusal> {
        let read = read(bytes);
        if self.height > read.timeout_height {
            return Err(("sdk", 30, "tx timeout height".to_owned()));
        }
        let Some(account) = self.accounts.get_mut(&read.signer) else {
            return Err(("sdk", 9, "unknown address".to_owned()));
        };
        let cost = LINK_UNITS * read.links.len() as u64;
        if account.max == 0 && cost > 0 {
            return Err(("graph", 8, "neuron has zero power".to_owned()));
        }
        if cost > account.check_remained {
            return Err(("bandwidth", 2, "not enough personal bandwidth".to_owned()));
        }
        if read.sequence != account.check_sequence {
            let (wanted, got) = (account.check_sequence, read.sequence);
            let log = format!(
                "account sequence mismatch, expected {wanted}, got {got}: incorrect account \
                 sequence"
            );
            return Err(("sdk", 32, log));
        }
        account.check_sequence += 1;
        account.check_remained -= cost;
        Ok(())
    }

    /// Makes a block of what waits.
    pub fn block(&mut self) {
        if self.down {
            return;
        }
        self.height += 1;
        for account in self.accounts.values_mut() {
            account.remained = account.max.min(account.remained + account.max / 10);
        }
        let txs = if self.stalled { Vec::new() } else { std::mem::take(&mut self.mempool) };
        for tx in &txs {
            self.deliver(tx);
        }
        self.blocks.insert(self.height, txs);
        self.reset_check();
        let waiting = std::mem::take(&mut self.mempool);
        for tx in waiting {
            if self.admit(&tx).is_ok() {
                self.mempool.push(tx);
            }
        }
    }

    fn deliver(&mut self, bytes: &[u8]) {
        let read = read(bytes);
        let (height, mut result) = (self.height, None);
        let account = self.accounts.get_mut(&read.signer).expect("admitted");
        let fits = self.height <= read.timeout_height && read.sequence == account.sequence;
        if !fits {
            return;
        }
        account.sequence += 1;
        account.remained -= LINK_UNITS * read.links.len() as u64;
        let key = |(from, to): &(String, String)| (read.signer.clone(), from.clone(), to.clone());
        let old = read.links.iter().filter(|link| self.links.contains(&key(link))).count();
        if old > 0 && !read.skip_existing {
            result = Some(("graph", 2, "your cyberlink already exists".to_owned()));
        } else if read.sent > 1_000 {
            result = Some(("sdk", 5, "insufficient funds".to_owned()));
        } else {
            self.links.extend(read.links.iter().map(key));
        }
        let response =
            MsgCyberlinkResponse { accepted: (read.links.len() - old) as u32, skipped: old as u32 };
        let any = cyber_proto::Any {
            type_url: MsgCyberlinkResponse::type_url(),
            value: if read.skip_existing { response.encode_to_vec() } else { Vec::new() },
        };
        let data = TxMsgData { msg_responses: vec![any], ..TxMsgData::default() }.encode_to_vec();
        let (space, code, log) = result.unwrap_or_default();
        let data = if code == 0 { data } else { Vec::new() };
        let outcome = MockResult { height, space: space.to_owned(), code, log, data };
        self.results.insert(sha256(bytes), outcome);
    }

    /// The transactions of a block.
    pub fn block_at(&self, height: u64) -> &[Vec<u8>] {
        self.blocks.get(&height).map(Vec::as_slice).unwrap_or_default()
    }
}

fn read(bytes: &[u8]) -> Read {
    let raw = TxRaw::decode(bytes).expect("a transaction");
    let body = TxBody::decode(raw.body_bytes.as_slice()).expect("a body");
    let info = AuthInfo::decode(raw.auth_info_bytes.as_slice()).expect("auth info");
    let mut read = Read {
        signer: String::new(),
        sequence: info.signer_infos[0].sequence,
        timeout_height: body.timeout_height,
        links: Vec::new(),
        skip_existing: false,
        sent: 0,
    };
    for message in &body.messages {
        if message.type_url == MsgCyberlink::type_url() {
            let link = MsgCyberlink::decode(message.value.as_slice()).expect("cyberlink");
            read.signer = link.neuron;
            read.skip_existing = link.skip_existing;
            read.links.extend(link.links.into_iter().map(|link| (link.from, link.to)));
        } else {
            let send = MsgSend::decode(message.value.as_slice()).expect("send");
            read.signer = send.from_address;
            read.sent = send.amount[0].amount.parse().expect("amount");
        }
    }
    read
}
