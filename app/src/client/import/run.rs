//! Running an import: signs, hands over, follows the chain.
//!
//! One loop. Each turn looks at the height; at a new one it asks for the sequences of all neurons
//! and takes out what has passed; then every neuron hands over its next transaction, all at the
//! same time. A node that is away is waited for.

use super::estimate::Costs;
use super::journal::{check_journal, Journal};
use super::lane::{Answer, Item, Lane};
use super::plan::{LanePlan, Plan};
use super::progress::{Progress, Report, State, StoppedLane};
use crate::client::content::ContentTable;
use crate::client::failure::{Exit, Failure};
use crate::client::keys::{AskPassword, KeyStore, SigningKey};
use crate::client::rpc::{Broadcast, Client, Lookup};
use crate::client::sequence::SequenceFile;
use crate::client::submit::expected_sequence;
use crate::client::transaction::{Draft, Signed, Signing, LIFETIME_BLOCKS};
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, Instant};

/// Links on their way to a block, of all neurons together: a few blocks full.
const WINDOW_LINKS: usize = 120_000;
/// Between two looks at the height when there is nothing to hand over.
const POLL: Duration = Duration::from_millis(50);
/// A node that is away for longer ends the import.
const PATIENCE: Duration = Duration::from_secs(300);

/// What an import needs.
pub struct Importer<'a> {
    pub client: &'a Client,
    pub keys: &'a KeyStore,
    pub home: &'a Path,
}

impl Importer<'_> {
    /// Imports a plan: returns when all of it is on the chain or no neuron can go on.
    pub async fn run(
        &self,
        plan: &Plan,
        ask: AskPassword<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Report, Failure> {
        let mut keys = Vec::new();
        for lane in &plan.lanes {
            keys.push(self.keys.open(&lane.key, ask)?);
        }
        plan.remember(&mut ContentTable::open(self.home)?)?;
        let mut run = Run::start(self, plan, keys).await?;
        let outcome = run.until_done(progress).await;
        progress.step(&run.state());
        progress.end();
        outcome.map(|()| run.report())
    }
}

/// An import under way.
struct Run<'a> {
    client: &'a Client,
    home: &'a Path,
    plan: &'a Plan,
    chain_id: String,
    costs: Costs,
    journal: Journal,
    rows: Vec<Row<'a>>,
    /// Links done before this run.
    before: u64,
    height: u64,
    started: Instant,
    transactions: u64,
}

/// A neuron and its lane.
struct Row<'a> {
    plan: &'a LanePlan,
    key: SigningKey,
    account_number: u64,
    committed: u64,
    lane: Lane,
    done: u64,
    bandwidth_left: u64,
    stopped: Option<Failure>,
}

/// A transaction that is being handed over.
struct Handed {
    row: usize,
    sequence: u64,
    hash: [u8; 32],
    file: SequenceFile,
    expires: u64,
    answer: Result<Broadcast, Failure>,
}

impl<'a> Run<'a> {
    async fn start(
        importer: &Importer<'a>,
        plan: &'a Plan,
        keys: Vec<SigningKey>,
    ) -> Result<Run<'a>, Failure> {
        let client = importer.client;
        let status = client.status().await?;
        let costs = Costs::ask(client).await?;
        let (mut journal, mut done) = Journal::open(importer.home, &status.chain_id, &plan.source)?;
        check_journal(client, plan, &mut done, &mut journal).await?;
        let mut rows = Vec::new();
        for (lane, key) in plan.lanes.iter().zip(keys) {
            let open = done.open(&lane.neuron, lane.links.len());
            rows.push(Row {
                plan: lane,
                key,
                account_number: 0,
                committed: 0,
                lane: Lane::new(open, costs.per_transaction()),
                done: done.count(&lane.neuron),
                bandwidth_left: 0,
                stopped: None,
            });
        }
        let before = rows.iter().map(|row| row.done).sum();
        Ok(Run {
            client,
            home: importer.home,
            plan,
            chain_id: status.chain_id,
            costs,
            journal,
            rows,
            before,
            height: 0,
            started: Instant::now(),
            transactions: 0,
        })
    }

    async fn until_done(&mut self, progress: &mut dyn Progress) -> Result<(), Failure> {
        let mut away: Option<Instant> = None;
        loop {
            match self.turn(progress).await {
                Ok(true) if self.rows.iter().all(|row| row.lane.is_done()) => return Ok(()),
                Ok(busy) => {
                    if away.take().is_some() {
                        progress.say("the node is back; the import goes on");
                        self.rows.iter_mut().for_each(|row| row.lane.doubt());
                    }
                    if !busy {
                        sleep(POLL).await;
                    }
                }
                Err(failure) if failure.exit == Exit::Unreachable => {
                    let since = *away.get_or_insert_with(|| {
                        progress.say(&format!("{failure}; waiting for it"));
                        Instant::now()
                    });
                    if since.elapsed() > PATIENCE {
                        let hint = "run the same command again: it goes on where it stopped";
                        return Err(failure.hint(hint));
                    }
                    sleep(POLL * 10).await;
                }
                Err(failure) => return Err(failure),
            }
            progress.step(&self.state());
        }
    }

    /// One turn; `true` when something was done.
    async fn turn(&mut self, progress: &mut dyn Progress) -> Result<bool, Failure> {
        let height = self.client.status().await?.height;
        let new_block = height != self.height;
        if new_block {
            self.height = height;
            self.costs.price = self.client.price().await?;
            for row in 0..self.rows.len() {
                self.follow(row).await?;
            }
        }
        let handed = self.hand_over(progress).await?;
        Ok(new_block || handed)
    }

    /// What the last block means for a neuron.
    async fn follow(&mut self, row: usize) -> Result<(), Failure> {
        let neuron = &self.rows[row].plan.neuron;
        if self.rows[row].lane.is_done() {
            return Ok(());
        }
        let Some(account) = self.client.account(neuron).await? else {
            let text = format!("account {neuron} does not exist: unknown address");
            self.stop(row, Failure::of_chain(Exit::Refused, "sdk", 9, &text));
            return Ok(());
        };
        let bandwidth = self.client.neuron_bandwidth(neuron).await?;
        let height = self.height;
        let one = &mut self.rows[row];
        one.account_number = account.number;
        one.committed = account.sequence;
        one.bandwidth_left = bandwidth.remained_value;
        for item in one.lane.committed(account.sequence, height) {
            self.passed(row, item).await?;
        }
        Ok(())
    }

    /// A transaction's place has passed: are its links there? All of a transaction's links are, or
    /// none, so one tells.
    async fn passed(&mut self, row: usize, item: Item) -> Result<(), Failure> {
        let plan = self.rows[row].plan;
        let (from, to) = self.plan.pair(plan.links[item.range.start]);
        if self.client.link_exists(Some(&plan.neuron), from, to).await? {
            self.journal.note(&plan.neuron, &item.range)?;
            self.rows[row].done += item.range.len() as u64;
            self.transactions += 1;
            return Ok(());
        }
        for hash in &item.hashes {
            if let Lookup::Found(found) = self.client.transaction(*hash).await? {
                let text = format!("in block {}, but failed: {}", found.height, found.log);
                let failure = Failure::of_chain(Exit::Failed, &found.space, found.code, &text);
                self.stop(row, failure.of_transaction(&hex::encode_upper(hash)));
                return Ok(());
            }
        }
        self.rows[row].lane.missing(item.range);
        Ok(())
    }

    fn stop(&mut self, row: usize, failure: Failure) {
        self.rows[row].lane.stop();
        self.rows[row].stopped = Some(failure);
    }

    /// Every neuron hands over its next transaction, all at the same time.
    async fn hand_over(&mut self, progress: &mut dyn Progress) -> Result<bool, Failure> {
        let mut set = JoinSet::new();
        let mut pending: usize = self.rows.iter().map(|row| row.lane.links_pending()).sum();
        for row in 0..self.rows.len() {
            if pending >= WINDOW_LINKS {
                break;
            }
            let Some((signed, file)) = self.prepare(row)? else { continue };
            pending += self.costs.per_transaction();
            let client = self.client.clone();
            set.spawn(async move {
                let Signed { bytes, hash, sequence, timeout_height: expires, .. } = signed;
                let answer = client.broadcast(bytes).await;
                Handed { row, sequence, hash, file, expires, answer }
            });
        }
        let busy = !set.is_empty();
        let mut failed = None;
        while let Some(handed) = set.join_next().await {
            let handed = handed.expect("handing over neither panics nor is cancelled");
            if let Err(failure) = self.heard(handed, progress).await {
                failed = Some(failure);
            }
        }
        match failed {
            Some(failure) => Err(failure),
            None => Ok(busy),
        }
    }

    /// The next transaction of a neuron, signed; `None` when it has none or another command is
    /// using the key right now.
    fn prepare(&mut self, row: usize) -> Result<Option<(Signed, SequenceFile)>, Failure> {
        let one = &mut self.rows[row];
        if one.lane.is_done() || self.height < one.lane.rests_until() {
            return Ok(None);
        }
        let Some(mut file) = SequenceFile::try_take(self.home, &one.key.address())? else {
            return Ok(None);
        };
        let fresh = file.next(&self.chain_id, one.committed, self.height);
        let Some(place) = one.lane.next(fresh, self.height) else { return Ok(None) };
        let item = one.lane.item(place);
        let links = &one.plan.links[item.range.clone()];
        let draft = links.chunks(self.costs.per_message()).fold(Draft::default(), |draft, part| {
            let ends = part.iter().map(|link| self.plan.ends(*link));
            draft.cyberlinks(&one.plan.neuron, ends, true)
        });
        let signing = Signing {
            key: &one.key,
            chain_id: &self.chain_id,
            account_number: one.account_number,
            sequence: item.sequence,
            timeout_height: self.height + LIFETIME_BLOCKS,
        };
        Ok(Some((draft.sign(&signing)?, file)))
    }

    /// What a node answered.
    async fn heard(&mut self, handed: Handed, progress: &mut dyn Progress) -> Result<(), Failure> {
        let Handed { row, sequence, hash, mut file, expires, answer } = handed;
        let answer = answer?;
        let said = match &answer {
            Broadcast::Accepted => Answer::Taken,
            Broadcast::Open => Answer::Open,
            refused => match (expected_sequence(refused), refused) {
                (Some(wanted), _) => Answer::Expected(wanted),
                (None, Broadcast::Refused { space, code, log }) => {
                    let failure = Failure::of_chain(Exit::Refused, space, *code, log);
                    return self.refused(row, sequence, hash, failure, progress).await;
                }
                (None, _) => Answer::Open,
            },
        };
        let next = match said {
            Answer::Expected(wanted) => wanted,
            _ => sequence + 1,
        };
        // A transaction handed over again must not take back what was noted after it.
        if self.rows[row].lane.is_last(sequence) {
            file.note(&self.chain_id, next, expires)?;
        }
        self.rows[row].lane.answered(sequence, hash, &said, self.height);
        Ok(())
    }

    /// Refused for another reason than its sequence.
    async fn refused(
        &mut self,
        row: usize,
        sequence: u64,
        hash: [u8; 32],
        failure: Failure,
        progress: &mut dyn Progress,
    ) -> Result<(), Failure> {
        let height = self.height;
        match failure.code.as_str() {
            "bandwidth/2" => {
                self.rows[row].lane.answered(sequence, hash, &Answer::Later, height);
                self.wait_for_bandwidth(row, failure, progress).await
            }
            // A full mempool or a last height that has passed meanwhile.
            "sdk/20" | "sdk/30" => {
                self.rows[row].lane.answered(sequence, hash, &Answer::Later, height);
                self.rows[row].lane.rest(height + 1);
                Ok(())
            }
            _ => {
                let key = &self.rows[row].plan.key;
                progress.say(&format!("{key} cannot go on: {failure}"));
                self.stop(row, failure);
                Ok(())
            }
        }
    }

    /// Too little bandwidth now: later, in smaller transactions, or never.
    async fn wait_for_bandwidth(
        &mut self,
        row: usize,
        failure: Failure,
        progress: &mut dyn Progress,
    ) -> Result<(), Failure> {
        let LanePlan { key, neuron, .. } = self.rows[row].plan;
        let bandwidth = self.client.neuron_bandwidth(neuron).await?;
        self.costs.price = self.client.price().await?;
        let most = self.costs.links_for(bandwidth.max_value);
        if most == 0 {
            progress.say(&format!("{key} cannot go on: {failure}"));
            self.stop(row, failure);
            return Ok(());
        }
        let lane = &mut self.rows[row].lane;
        lane.shrink(most);
        let needed = self.costs.units(self.costs.raw(lane.per_transaction() as u64));
        // What waits in the mempool has its share already: at least one block.
        let missing = needed.saturating_sub(bandwidth.remained_value);
        let blocks = self.costs.blocks_for(missing, bandwidth.max_value).clamp(1, 1_000);
        let until = self.height + blocks;
        lane.rest(until);
        let remained = bandwidth.remained_value;
        progress.say(&format!(
            "{key} waits for bandwidth: needs {needed}, has {remained} of {}; goes on at height \
             {until}",
            bandwidth.max_value
        ));
        Ok(())
    }

    fn state(&self) -> State {
        let done: u64 = self.rows.iter().map(|row| row.done).sum();
        State {
            done,
            total: self.plan.total(),
            done_now: done - self.before,
            elapsed: self.started.elapsed(),
            bandwidth_left: self.rows.iter().map(|row| row.bandwidth_left).sum(),
            height: self.height,
        }
    }

    fn report(&self) -> Report {
        let state = self.state();
        let stopped = self.rows.iter().filter_map(|row| {
            Some(StoppedLane {
                key: row.plan.key.clone(),
                neuron: row.plan.neuron.clone(),
                links_left: row.plan.links.len() as u64 - row.done,
                failure: row.stopped.clone()?,
            })
        });
        Report {
            done: state.done,
            total: state.total,
            done_now: state.done_now,
            transactions: self.transactions,
            elapsed: state.elapsed,
            height: state.height,
            stopped: stopped.collect(),
        }
    }
}

#[cfg(test)]
mod tests;
