//! Requests in a row: those that wait are given in one transaction, the next when its block is
//! there.
//!
//! A transaction is all or nothing, so one that failed in its block, or that is more than is left,
//! is tried once more, request by request: nobody fails for another's address.

use crate::cli::send;
use crate::client::{Client, Draft, Exit, Failure, FeeChoice, Sender, SigningKey};
use crate::types::{Amount, Coin};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait; one more is refused.
pub const WAITING: usize = 256;
/// Requests in one transaction, of which it may have 32 messages.
const TOGETHER: usize = 16;
/// The code of an empty faucet.
pub const EMPTY: &str = "client/faucet-empty";
/// Between two looks whether the chain is there: while it is not, and while nobody asks.
const LOOK: Duration = Duration::from_millis(500);
const IDLE: Duration = Duration::from_secs(5);

/// Somebody to be given something.
pub struct Request {
    pub address: String,
    pub coin: Coin,
    pub done: oneshot::Sender<Result<Given, Failure>>,
}

/// What was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub tx_hash: String,
    pub height: u64,
}

/// What is known of the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// None while it is not there.
    pub chain_id: Option<String>,
    /// Why it is not there.
    pub reason: String,
    pub node: String,
}

/// In a block and failed, or not enough left for all: some may still be given.
fn is_ones_fault(failure: &Failure) -> bool {
    failure.exit == Exit::Failed || failure.code == EMPTY
}

/// The one who gives.
pub struct Giver {
    client: Client,
    /// None: what the node asks for.
    gas_price: Option<FeeChoice>,
    home: Option<PathBuf>,
    prefix: String,
    key: SigningKey,
    requests: mpsc::Receiver<Request>,
    state: Arc<Mutex<State>>,
}

impl Giver {
    pub fn new(
        client: Client,
        gas_price: Option<FeeChoice>,
        home: Option<PathBuf>,
        prefix: String,
        key: SigningKey,
    ) -> (Giver, mpsc::Sender<Request>) {
        let (tell, requests) = mpsc::channel(WAITING);
        let state = State { node: client.address().to_string(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        (Giver { client, gas_price, home, prefix, key, requests, state }, tell)
    }

    pub fn state(&self) -> Arc<Mutex<State>> {
        Arc::clone(&self.state)
    }

    /// Gives, on a thread of its own, until nobody can ask any more.
    pub fn start(self) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = move || runtime.block_on(self.run());
        std::thread::Builder::new().name("faucet".to_owned()).spawn(work).map(drop)
    }

    /// Waits for the chain, then gives.
    async fn run(mut self) {
        loop {
            self.wait_for_chain().await;
            if self.requests.is_closed() {
                return;
            }
            // Looked at again now and then, so that `/status` tells the truth.
            let first = match tokio::time::timeout(IDLE, self.requests.recv()).await {
                Ok(Some(first)) => first,
                Ok(None) => return,
                Err(_) => continue,
            };
            let mut together = vec![first];
            while together.len() < TOGETHER {
                match self.requests.try_recv() {
                    Ok(request) => together.push(request),
                    Err(_) => break,
                }
            }
            self.serve(together).await;
        }
    }

    async fn wait_for_chain(&self) {
        loop {
            let (chain_id, reason) = match self.client.status().await {
                Ok(status) if status.height == 0 => (None, "no block yet".to_owned()),
                Ok(status) if status.catching_up => (None, "the node is catching up".to_owned()),
                Ok(status) => (Some(status.chain_id), String::new()),
                Err(failure) => (None, failure.message),
            };
            let is_there = chain_id.is_some();
            self.note(chain_id, reason);
            if is_there || self.requests.is_closed() {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn note(&self, chain_id: Option<String>, reason: String) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.chain_id, state.reason) = (chain_id, reason);
    }

    async fn serve(&self, requests: Vec<Request>) {
        let outcome = self.give(&requests).await;
        match outcome {
            Err(failure) if requests.len() > 1 && is_ones_fault(&failure) => {
                for request in requests {
                    let outcome = self.give(std::slice::from_ref(&request)).await;
                    let _ = request.done.send(outcome);
                }
            }
            // Whoever went away meanwhile does not hear of it.
            outcome => requests.into_iter().for_each(|request| {
                let _ = request.done.send(outcome.clone());
            }),
        }
    }

    /// One transaction, and its block.
    async fn give(&self, requests: &[Request]) -> Result<Given, Failure> {
        let holder = self.key.address().to_bech32(&self.prefix);
        let fee = match &self.gas_price {
            Some(price) => price.clone(),
            None => send::fee(&self.client, None).await?,
        };
        let mut draft = Draft::default();
        for request in requests {
            draft = draft.sending(&holder, &request.address, &request.coin);
        }
        self.check_balance(&holder, requests).await?;
        let client = &self.client;
        let home = self.home.as_deref();
        let sender = Sender { client, home, prefix: &self.prefix, key: &self.key };
        let sent = sender.send(&draft.paying(fee), &mut |_| ()).await?;
        let included = sent.wait(client).await?;
        Ok(Given { tx_hash: sent.signed.hash_text(), height: included.height })
    }

    /// Says plainly when there is not enough; what the fee takes shows at the door.
    async fn check_balance(&self, holder: &str, requests: &[Request]) -> Result<(), Failure> {
        for Request { coin, .. } in requests {
            let of_denom = requests.iter().filter(|other| other.coin.denom == coin.denom);
            let add = |sum: u128, other: &Request| sum.saturating_add(other.coin.amount.0);
            let wanted = of_denom.fold(0, add);
            let held = self.client.balance(holder, &coin.denom).await?;
            if held.amount.0 < wanted {
                let wanted = Coin::new(&coin.denom, Amount(wanted));
                let text =
                    format!("the faucet is empty: {holder} holds {held}, {wanted} are asked for");
                return Err(Failure {
                    code: EMPTY.to_owned(),
                    ..Failure::new(Exit::Refused, "", text)
                }
                .hint(format!("send {} to {holder}", coin.denom)));
            }
        }
        Ok(())
    }
}
