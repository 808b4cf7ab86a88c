//! Sending one transaction and waiting for what becomes of it.
//!
//! Invariants: a transaction is sent at most twice, and the second time only after the node said
//! that the first had a wrong sequence. Every transaction has a last height, so waiting ends with
//! an answer: in a block, refused, expired; "unknown" only when the node stops answering or the
//! chain stops making blocks.

use super::failure::{Exit, Failure};
use super::keys::SigningKey;
use super::rpc::{Broadcast, Client, Included, Lookup};
use super::sequence::SequenceFile;
use super::transaction::{Draft, Signed, Signing, LIFETIME_BLOCKS};
use std::path::Path;
use std::time::Duration;
use tokio::time::{sleep, Instant};

/// Between two looks.
const POLL: Duration = Duration::from_millis(100);
/// A node that is silent, or a chain that stands still, for this long ends the waiting.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who sends, and from where.
pub struct Sender<'a> {
    pub client: &'a Client,
    /// Where the sequence after the last transaction is remembered, so that several in a row need
    /// not wait for each other's blocks. Without a home each one has to.
    pub home: Option<&'a Path>,
    /// The chain's address prefix.
    pub prefix: &'a str,
    pub key: &'a SigningKey,
}

/// A transaction that a node has taken.
pub struct Sent {
    pub signed: Signed,
    /// The account that signed.
    pub address: String,
    /// The last height before it was sent.
    pub since: u64,
}

impl Sender<'_> {
    /// Signs and hands over. `talk` gets what a person should know on the way.
    pub async fn send(&self, draft: &Draft, talk: &mut dyn FnMut(&str)) -> Result<Sent, Failure> {
        let mut file = self.sequences(talk)?;
        let place = self.place(file.as_mut()).await?;
        let mut signing = self.signing(&place);
        let mut signed = draft.sign(&signing)?;
        let mut answer = self.client.broadcast(signed.bytes.clone()).await?;
        if let Some(expected) = expected_sequence(&answer) {
            signing.sequence = expected;
            signed = draft.sign(&signing)?;
            answer = self.client.broadcast(signed.bytes.clone()).await?;
        }
        if let Broadcast::Refused { space, code, log } = answer {
            return Err(Failure::of_chain(Exit::Refused, &space, code, &log));
        }
        if let Some(file) = &mut file {
            file.note(&place.chain_id, signed.sequence + 1, signed.timeout_height)?;
        }
        Ok(Sent { signed, address: place.address, since: place.height })
    }

    /// Signs what [`Sender::send`] would hand over, and keeps it to the caller.
    pub async fn sign(&self, draft: &Draft) -> Result<Signed, Failure> {
        let mut file = self.sequences(&mut |_| ())?;
        let place = self.place(file.as_mut()).await?;
        draft.sign(&self.signing(&place))
    }

    fn sequences(&self, talk: &mut dyn FnMut(&str)) -> Result<Option<SequenceFile>, Failure> {
        let waiting = &mut || talk("Another command is using this key; waiting for it.");
        let taken = |home| SequenceFile::take(home, &self.key.address(), waiting);
        self.home.map(taken).transpose()
    }

    /// The next place in the account's order, as the node and the home know it.
    async fn place(&self, file: Option<&mut SequenceFile>) -> Result<Place, Failure> {
        let address = self.key.address().to_bech32(self.prefix);
        let status = self.client.status().await?;
        let account = self.client.account(&address).await?.ok_or_else(|| {
            let text = format!("account {address} does not exist: unknown address");
            Failure::of_chain(Exit::Refused, "sdk", 9, &text)
        })?;
        let sequence = file.map_or(account.sequence, |file| {
            file.next(&status.chain_id, account.sequence, status.height)
        });
        let (chain_id, height) = (status.chain_id, status.height);
        Ok(Place { address, chain_id, height, number: account.number, sequence })
    }

    fn signing<'s>(&'s self, place: &'s Place) -> Signing<'s> {
        Signing {
            key: self.key,
            chain_id: &place.chain_id,
            account_number: place.number,
            sequence: place.sequence,
            timeout_height: place.height + LIFETIME_BLOCKS,
        }
    }
}

/// Where a transaction comes in its account's order.
struct Place {
    address: String,
    chain_id: String,
    /// The last block when it was asked for.
    height: u64,
    number: u64,
    sequence: u64,
}

/// The sequence the node wants instead, when that is why it refused.
pub fn expected_sequence(answer: &Broadcast) -> Option<u64> {
    let Broadcast::Refused { space, code: 32, log } = answer else { return None };
    if space != "sdk" {
        return None;
    }
    let (_, rest) = log.split_once("expected ")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

impl Sent {
    /// Waits for the block that takes the transaction. A transaction that failed in its block is
    /// a failure with the chain's code.
    pub async fn wait(&self, client: &Client) -> Result<Included, Failure> {
        self.wait_as_long_as(client, PATIENCE).await
    }

    /// The same; a node silent or a chain standing still for `patience` ends it.
    pub async fn wait_as_long_as(
        &self,
        client: &Client,
        patience: Duration,
    ) -> Result<Included, Failure> {
        let hash = self.signed.hash_text();
        let watched = self.watch(client, patience).await;
        let included = watched.map_err(|failure| failure.of_transaction(&hash))?;
        match included.code {
            0 => Ok(included),
            code => {
                let text = format!("in block {}, but failed: {}", included.height, included.log);
                let failure = Failure::of_chain(Exit::Failed, &included.space, code, &text);
                Err(failure.of_transaction(&hash))
            }
        }
    }

    async fn watch(&self, client: &Client, patience: Duration) -> Result<Included, Failure> {
        let mut scanned = self.since;
        let mut height = self.since;
        let mut moved = Instant::now();
        loop {
            match self.look(client, &mut scanned).await {
                Ok((Some(included), _)) => return Ok(included),
                Ok((None, now)) if now >= self.signed.timeout_height => {
                    return self.settle(client, now).await;
                }
                Ok((None, now)) if now > height => (height, moved) = (now, Instant::now()),
                Ok(_) => {}
                Err(failure) if failure.exit != Exit::Unreachable => return Err(failure),
                Err(_) => {}
            }
            if moved.elapsed() > patience {
                return Err(self.unknown(client, height));
            }
            sleep(POLL).await;
        }
    }

    /// One look: by the node's index, without one through the blocks that are new.
    async fn look(
        &self,
        client: &Client,
        scanned: &mut u64,
    ) -> Result<(Option<Included>, u64), Failure> {
        let lookup = client.transaction(self.signed.hash).await?;
        if let Lookup::Found(included) = lookup {
            return Ok((Some(included), 0));
        }
        let height = client.status().await?.height;
        if lookup == Lookup::NoIndex {
            while *scanned < height {
                let found = client.transaction_in_block(self.signed.hash, *scanned + 1).await?;
                if found.is_some() {
                    return Ok((found, height));
                }
                *scanned += 1;
            }
        }
        Ok((None, height))
    }

    /// The last height has passed: the account's sequence and the blocks tell.
    async fn settle(&self, client: &Client, height: u64) -> Result<Included, Failure> {
        let account = client.account(&self.address).await?;
        let used = account.is_some_and(|account| account.sequence > self.signed.sequence);
        let last = height.min(self.signed.timeout_height);
        for at in self.since + 1..=last {
            if !used {
                break;
            }
            if let Some(included) = client.transaction_in_block(self.signed.hash, at).await? {
                return Ok(included);
            }
        }
        let text = format!(
            "no block up to {} took the transaction and none will: nothing changed",
            self.signed.timeout_height
        );
        Err(Failure::of_chain(Exit::Refused, "sdk", 30, &text))
    }

    fn unknown(&self, client: &Client, height: u64) -> Failure {
        let text = format!(
            "the outcome is not known: no new block from {} since height {height}; the \
             transaction can enter a block up to height {}",
            client.address(),
            self.signed.timeout_height
        );
        Failure::new(Exit::Unknown, "outcome-unknown", text)
            .hint(format!("ask later: cyberd query tx {}", self.signed.hash_text()))
    }
}

#[cfg(test)]
mod tests;
