//! What a development chain shows: banner, the file for tests, the live line.

use super::chain::{Chain, DevNode};
use crate::cli::output::{grouped, table};
use crate::client::files::{self, Access};
use crate::client::Failure;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{json, Value};
use std::path::{Path, PathBuf};

/// The stake denomination of the shipped genesis.
pub const DENOMINATION: &str = "boot";
pub const PREFIX: &str = "bostrom";

/// Where a running chain tells that it is ready, and how to reach it.
pub fn ready_file(home: &Path) -> PathBuf {
    home.join("ready.json")
}

/// What tests need: chain, home, URLs, accounts with their keys and balances.
pub fn description(chain: &Chain, balances: &[u64]) -> Value {
    let account = |(account, balance): (&super::accounts::DevAccount, &u64)| {
        json!({
            "name": account.name,
            "address": account.address.to_bech32(PREFIX),
            "mnemonic": *account.mnemonic,
            "balance": { "denom": DENOMINATION, "amount": balance.to_string() },
        })
    };
    let node = |node: &DevNode| {
        json!({
            "name": node.name,
            "validator": node.votes,
            "home": node.home,
            "peer": format!("{}@127.0.0.1:{}", node.id, node.ports.p2p),
            "rpc": rpc(node),
            "grpc": grpc(node),
            "rest": rest(node),
            "metrics": metrics(node),
        })
    };
    let first = &chain.nodes[0];
    json!({
        "chain_id": chain.settings.chain_id,
        "home": chain.home,
        "rpc": rpc(first),
        "grpc": grpc(first),
        "rest": rest(first),
        "metrics": metrics(first),
        "accounts": chain.accounts.iter().zip(balances).map(account).collect::<Vec<_>>(),
        "nodes": chain.nodes.iter().map(node).collect::<Vec<_>>(),
    })
}

fn rpc(node: &DevNode) -> String {
    format!("http://127.0.0.1:{}", node.ports.rpc)
}

fn grpc(node: &DevNode) -> String {
    format!("http://127.0.0.1:{}", node.ports.grpc)
}

fn rest(node: &DevNode) -> String {
    format!("http://127.0.0.1:{}", node.ports.rest)
}

fn metrics(node: &DevNode) -> String {
    format!("http://127.0.0.1:{}/metrics", node.ports.health)
}

/// Writes the description where a reader finds it whole or not at all.
///
/// # Errors
/// Those of the file.
pub fn write_description(path: &Path, description: &Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(description).expect("JSON");
    files::write_whole(path, text.as_bytes(), Access::Private)
        .map_err(|error| Failure::local(format!("{}: {error}", path.display())))
}

/// The banner.
pub fn banner(chain: &Chain, balances: &[u64]) -> String {
    let rows = chain.accounts.iter().zip(balances).map(|(account, balance)| {
        let amount = format!("{:>22} {DENOMINATION}", grouped(*balance));
        vec![account.name.clone(), account.address.to_bech32(PREFIX), amount]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let keys = chain
        .accounts
        .iter()
        .map(|account| vec![account.name.clone(), account.mnemonic.to_string()]);
    let keys: Vec<Vec<String>> = keys.collect();
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut places = vec![row("chain", chain.settings.chain_id.clone())];
    let mut many = String::new();
    match &chain.nodes[..] {
        [node] => {
            places.push(row("RPC", rpc(node)));
            places.push(row("REST, API page", rest(node)));
            places.push(row("gRPC, gRPC-web", grpc(node)));
            places.push(row("metrics", metrics(node)));
        }
        _ => many = format!("\n{}\n", nodes(chain)),
    }
    places.push(row("home", chain.home.display().to_string()));
    places.push(row("logs", chain.home.join("logs").display().to_string()));
    format!(
        "\nNeurons\n{}\n\nTheir keys: public keys, never use them elsewhere\n{}\n\n{}\n{many}\n\
         cyberd --home {} COMMAND talks to it: search TEXT, link FROM TO, top, status, …\n",
        table(&rows),
        table(&keys),
        table(&places),
        chain.home.display()
    )
}

/// The nodes and where each answers, a line each.
pub fn nodes(chain: &Chain) -> String {
    let head = ["node", "vote", "RPC", "REST", "gRPC", "metrics", "home"];
    let line = |node: &DevNode| {
        let vote = if node.votes { "yes" } else { "no" };
        let (name, home) = (node.name.clone(), node.home.display().to_string());
        vec![name, vote.to_owned(), rpc(node), rest(node), grpc(node), metrics(node), home]
    };
    let head = std::iter::once(head.map(str::to_owned).to_vec());
    table(&head.chain(chain.nodes.iter().map(line)).collect::<Vec<_>>())
}

/// One line that is always up to date; only on a terminal.
pub struct Live {
    bar: ProgressBar,
    words: ProgressStyle,
    amount: ProgressStyle,
}

impl Live {
    /// An empty line.
    pub fn new() -> Live {
        let style = |text| ProgressStyle::with_template(text).expect("the template is sound");
        let words = style("{spinner} {msg}");
        let amount = style("{bar:30} {human_pos}/{human_len} links, {msg}");
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(words.clone());
        Live { bar, words, amount }
    }

    /// Shows this from now on.
    pub fn set(&self, text: String) {
        self.bar.set_style(self.words.clone());
        self.bar.set_message(text);
        self.bar.tick();
    }

    /// Shows how much is done, with words beside it.
    pub fn progress(&self, done: u64, total: u64, text: String) {
        self.bar.set_style(self.amount.clone());
        self.bar.set_length(total);
        self.bar.set_message(text);
        self.bar.set_position(done);
    }

    /// Says something that stays, above the line.
    pub fn say(&self, text: &str) {
        match self.bar.is_hidden() {
            true => eprintln!("{text}"),
            false => self.bar.suspend(|| eprintln!("{text}")),
        }
    }

    /// Whether there is no terminal to show a line on.
    pub fn is_hidden(&self) -> bool {
        self.bar.is_hidden()
    }

    /// Takes the line away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
