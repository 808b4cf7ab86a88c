//! `cyberd status` and `cyberd roots`: node and chain at one look, the parts of an app hash.

use super::context::Context;
use super::output::{grouped, table, Answer};
use crate::client::Failure;
use serde_json::{json, Value};
use std::io::IsTerminal;

/// The roots of all stores at a height, to compare two nodes
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd roots                      the latest height
  cyberd roots 120
  cyberd roots 120 --node http://10.0.0.2:26657 --output json")]
pub struct Roots {
    /// 0 is the latest
    #[arg(default_value_t = 0, hide_default_value = true)]
    height: u64,
}

/// Runs `cyberd status`.
pub fn status(context: &Context) -> Result<Answer, Failure> {
    let client = context.client()?;
    context.block_on(async {
        let node = client.status().await?;
        let mut json = json!({
            "node": client.address(),
            "moniker": node.moniker,
            "chain_id": node.chain_id,
            "cometbft": node.version,
            "height": node.height,
            "time": node.time,
            "app_hash": node.app_hash,
            "catching_up": node.catching_up,
            // As Cosmovisor and other tools for Cosmos nodes read it: numbers are text.
            "SyncInfo": {
                "latest_block_height": node.height.to_string(),
                "latest_block_time": node.time,
                "latest_app_hash": node.app_hash,
                "catching_up": node.catching_up,
            },
        });
        let mut rows = vec![
            line("node", format!("{} ({})", client.address(), node.moniker)),
            line("chain", format!("{} (CometBFT {})", node.chain_id, node.version)),
            line("height", format!("{} at {}", grouped(node.height), node.time)),
            line("app hash", node.app_hash.clone()),
        ];
        if node.catching_up {
            rows.push(line("state", "catching up with the network".to_owned()));
        }
        // Before the first block the application has nothing to say.
        if node.height > 0 {
            let graph = client.graph_stats().await?;
            let (price, load) = (client.price().await?, client.load().await?);
            let round = client.rounds(1).await?.into_iter().next();
            json["links"] = json!(graph.cyberlinks);
            json["particles"] = json!(graph.particles);
            json["price"] = json!(price);
            json["load"] = json!(load);
            json["round"] = round.as_ref().map_or(Value::Null, super::query::round_json);
            let (links, particles) = (grouped(graph.cyberlinks), grouped(graph.particles));
            rows.push(line("graph", format!("{links} links, {particles} particles")));
            rows.push(line("bandwidth", format!("load {load}, price {price}")));
            if let Some(round) = round {
                let covers = format!("{} links", grouped(round.links));
                let at = round.height_published;
                rows.push(line(
                    "round",
                    format!("{} published at {at}, covers {covers}", round.round),
                ));
            }
        }
        Ok(shown(json, &rows, std::io::stdout().is_terminal()))
    })
}

/// People get a table. A program that asks through a pipe gets JSON without asking for it: that is
/// how Cosmovisor asks.
fn shown(json: Value, rows: &[Vec<String>], to_terminal: bool) -> Answer {
    let text = match to_terminal {
        true => table(rows),
        false => serde_json::to_string_pretty(&json).expect("a JSON value can be written"),
    };
    Answer::new(json, text)
}

fn line(name: &str, value: String) -> Vec<String> {
    vec![name.to_owned(), value]
}

/// Runs `cyberd roots`.
pub fn roots(context: &Context, roots: &Roots) -> Result<Answer, Failure> {
    let client = context.client()?;
    let answer = context.block_on(client.roots(roots.height))?;
    let mut stores = serde_json::Map::new();
    let mut rows = vec![line("app hash", hex::encode(&answer.app_hash))];
    for store in &answer.stores {
        stores.insert(store.name.clone(), json!(hex::encode(&store.root)));
        rows.push(line(&store.name, hex::encode(&store.root)));
    }
    let json = json!({
        "height": answer.height,
        "app_hash": hex::encode(&answer.app_hash),
        "stores": stores,
    });
    Ok(Answer::new(json, format!("height {}\n{}", answer.height, table(&rows))))
}
