//! A development chain from its first block to Ctrl-C: import, first answers, banner, live line.

use super::chain::{Chain, Nodes};
use super::show::{self, Live};
use super::Dev;
use crate::cli::context::Context;
use crate::cli::output::grouped;
use crate::client::{Client, Failure};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const LOOK: Duration = Duration::from_millis(100);
const REFRESH: Duration = Duration::from_secs(1);
/// Without a terminal the live line becomes a line of the log, so often.
const LOG_EVERY: u32 = 60;

/// A running development chain.
pub struct Session<'a> {
    pub context: &'a Context,
    pub chain: &'a Chain,
    pub flags: &'a Dev,
    pub nodes: &'a Nodes,
    pub stop: &'a AtomicBool,
    pub client: Client,
    pub live: Live,
    pub started: Instant,
    /// The latest height of each node, 0 before the first.
    heights: RefCell<Vec<u64>>,
}

impl<'a> Session<'a> {
    /// A session over nodes that were just started.
    ///
    /// # Errors
    /// When the first node's address is none.
    pub fn new(
        context: &'a Context,
        chain: &'a Chain,
        flags: &'a Dev,
        nodes: &'a Nodes,
        stop: &'a AtomicBool,
    ) -> Result<Session<'a>, Failure> {
        let client = Client::new(&format!("http://127.0.0.1:{}", chain.nodes[0].ports.rpc))?;
        let heights = RefCell::new(vec![0; chain.nodes.len()]);
        let (live, started) = (Live::new(), Instant::now());
        Ok(Session { context, chain, flags, nodes, stop, client, live, started, heights })
    }

    /// Until the user stops it, a node gives up, or something goes wrong.
    ///
    /// # Errors
    /// What went wrong; why a node gave up is told by [`Nodes::stop`].
    pub async fn run(&self, continued: bool) -> Result<(), Failure> {
        let outcome = tokio::select! {
            () = self.watch() => Ok(()),
            outcome = self.work(continued) => outcome,
        };
        self.live.clear();
        let _ = std::fs::remove_file(show::ready_file(&self.chain.home));
        outcome
    }

    /// Passes on what happens to the nodes; ends when asked to stop or when one has given up.
    async fn watch(&self) {
        use crate::node::supervisor::Event;
        while !self.stop.load(Ordering::Relaxed) && !self.nodes.failed() {
            for (index, event) in self.nodes.events() {
                match event {
                    Event::Height(height) => self.heights.borrow_mut()[index] = height,
                    Event::Started if self.heights.borrow()[index] == 0 => {}
                    Event::Alive { .. } | Event::Answers | Event::Stopping => {}
                    other => self.live.say(&format!("node{index}: {other}")),
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn work(&self, continued: bool) -> Result<(), Failure> {
        self.live.set("waiting for the first block …".to_owned());
        while self.heights.borrow().contains(&0) {
            tokio::time::sleep(LOOK).await;
        }
        let (id, height) = (&self.chain.settings.chain_id, grouped(self.heights.borrow()[0]));
        let home = self.chain.home.display();
        self.live.say(&match continued {
            true => format!("{id} of {home} is continued, at height {height}"),
            false => format!("{id} is a new chain in {home}, at height {height}"),
        });
        self.import().await?;
        self.ready().await?;
        self.keep_showing().await
    }

    /// Says that the chain is ready: banner, file for tests.
    async fn ready(&self) -> Result<(), Failure> {
        let mut balances = Vec::new();
        for account in &self.chain.accounts {
            let address = account.address.to_bech32(show::PREFIX);
            let balance = self.client.balance(&address, show::DENOMINATION).await?;
            balances.push(u64::try_from(balance.amount.0).unwrap_or(u64::MAX));
        }
        self.live.say(&show::banner(self.chain, &balances));
        let description = show::description(self.chain, &balances);
        if let Some(path) = &self.flags.config_out {
            show::write_description(path, &description)?;
        }
        show::write_description(&show::ready_file(&self.chain.home), &description)
    }

    async fn keep_showing(&self) -> Result<(), Failure> {
        for second in 0_u32.. {
            let line = self.line().await;
            match self.live.is_hidden() {
                true if second % LOG_EVERY == 0 => self.live.say(&line),
                true => {}
                false => self.live.set(line),
            }
            tokio::time::sleep(REFRESH).await;
        }
        Ok(())
    }

    /// The chain in one line. A node that is being restarted is no reason to end.
    async fn line(&self) -> String {
        let height = grouped(self.heights.borrow()[0]);
        let asked = async {
            let graph = self.client.graph_stats().await?;
            let load = self.client.load().await?;
            let round = self.client.rounds(1).await?.into_iter().next();
            Ok::<_, Failure>((graph, load, round))
        };
        match asked.await {
            Err(failure) => format!("height {height} · {}", failure.message),
            Ok((graph, load, round)) => {
                let (links, particles) = (grouped(graph.cyberlinks), grouped(graph.particles));
                let round = round.map_or_else(
                    || "no round yet".to_owned(),
                    |round| format!("round {} covers {}", round.round, grouped(round.links)),
                );
                format!(
                    "height {height} · {links} links · {particles} particles · {round} · \
                     bandwidth in use {} %",
                    load.atomics() / 10_000_000_000_000_000
                )
            }
        }
    }
}
