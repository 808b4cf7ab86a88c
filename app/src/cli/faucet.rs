//! `cyberd faucet`: gives tokens of a test network to whoever asks over HTTP, as CosmJS's faucet
//! does: `POST /credit {"address", "denom"}`, `GET /status`.
//!
//! Invariants: one transaction at a time, so sequences are never guessed twice; an address and a
//! source are credited at most so often; what failed is not counted; nobody is told "ok" before the
//! block that holds the transaction. While the chain is not there, requests are answered 503. The
//! limits are kept in memory: a restart forgets them.
//!
//! | module | what it does |
//! |---|---|
//! | [`limits`] | who may be credited again when |
//! | [`giver`] | requests in a row, several in one transaction, to the chain |
//! | [`server`] | HTTP |

mod giver;
mod limits;
mod server;
#[cfg(test)]
mod tests;

use super::context::Context;
use super::deliver::WriteFlags;
use super::output::Answer;
use crate::client::{Client, Failure, FeeChoice, SigningKey};
use crate::types::Coin;
use giver::Giver;
use limits::Limits;
use serde_json::json;
use server::Faucet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// Give tokens of a test network to whoever asks over HTTP
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd faucet --from alice --give 1000000boot
  cyberd faucet --from alice --give 1000000boot --listen 0.0.0.0:8000 --every 12h --per-source 3
  curl -X POST 127.0.0.1:8000/credit -H 'content-type: application/json' \\
    -d '{\"address\": \"bostrom1…\", \"denom\": \"boot\"}'
  curl 127.0.0.1:8000/status
For test networks: whoever asks is given. Answers are JSON; requests wait for their block (POST
/credit, as CosmJS's FaucetClient asks). Ctrl-C ends it.")]
pub struct FaucetFlags {
    /// The key that gives [default: `from` of client.toml, else the only key there is]
    #[arg(long, value_name = "KEY")]
    from: Option<String>,
    /// What a request is given, as often as there are denominations
    #[arg(long, value_name = "COIN", required = true)]
    give: Vec<String>,
    /// What it pays for gas, such as 0.01boot [default: what the node asks for, if it tells]
    #[arg(long, value_name = "PRICE")]
    gas_price: Option<String>,
    /// Where it listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// An address is credited once in this time, in each denomination
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    every: Duration,
    /// A source (an IP address, or a network of 64 bits) is credited so often in that time
    #[arg(long, value_name = "N", default_value_t = 10)]
    per_source: usize,
    /// Take the source from X-Forwarded-For: only behind a proxy that sets it
    #[arg(long)]
    behind_proxy: bool,
}

/// Runs until Ctrl-C.
pub fn run(context: &Context, flags: &FaucetFlags) -> Result<Answer, Failure> {
    let coins = coins(&flags.give)?;
    let from = flags.from.clone();
    let signer = WriteFlags { from, ..WriteFlags::default() }.signer(context)?;
    let key = context.keys().open(&signer.name, &mut context.password())?;
    let gas_price = flags.gas_price.as_deref().map(FeeChoice::of_minimum).transpose()?;
    let setup = Setup {
        client: context.client()?,
        gas_price,
        home: Some(context.home.clone()),
        prefix: context.prefix().to_owned(),
        key,
        coins,
        limits: Limits::new(flags.every, flags.per_source),
        behind_proxy: flags.behind_proxy,
    };
    let stop = super::nodes::stop_flag()?;
    context.block_on(async {
        if let Some(said) = lacks(&setup).await {
            context.talk(&said);
        }
        let running = start(flags.listen, setup).await?;
        context.talk(&format!("faucet at http://{}; Ctrl-C ends it", running.address));
        until(&stop).await;
        running.stop();
        Ok(Answer::new(json!({ "stopped": true }), "stopped"))
    })
}

/// That the key cannot give once what is asked for, if the chain is there to tell.
async fn lacks(setup: &Setup) -> Option<String> {
    let holder = setup.key.address().to_bech32(&setup.prefix);
    for coin in &setup.coins {
        let held = setup.client.balance(&holder, &coin.denom).await.ok()?;
        if held.amount < coin.amount {
            let denom = &coin.denom;
            return Some(format!(
                "warning: {holder} holds {held}, less than the {coin} of one request: until \
                 somebody sends it {denom}, requests are refused"
            ));
        }
    }
    None
}

/// What a faucet is made of.
pub struct Setup {
    pub client: Client,
    /// None: what the node asks for.
    pub gas_price: Option<FeeChoice>,
    /// Where sequences are remembered.
    pub home: Option<PathBuf>,
    pub prefix: String,
    pub key: SigningKey,
    pub coins: Vec<Coin>,
    pub limits: Limits,
    pub behind_proxy: bool,
}

/// A faucet that runs; ends when it is told to.
pub struct Running {
    pub address: SocketAddr,
    serve: tokio::task::JoinHandle<()>,
}

impl Running {
    fn stop(&self) {
        self.serve.abort();
    }
}

/// Listens and gives.
pub async fn start(listen: SocketAddr, setup: Setup) -> Result<Running, Failure> {
    let failure = |error: std::io::Error| {
        Failure::local(format!("--listen {listen}: {error}"))
            .hint("--listen ADDRESS:PORT chooses another place")
    };
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(failure)?;
    let address = listener.local_addr().map_err(failure)?;
    let holder = setup.key.address().to_bech32(&setup.prefix);
    let (giver, requests) =
        Giver::new(setup.client, setup.gas_price, setup.home, setup.prefix.clone(), setup.key);
    let state = giver.state();
    let faucet = Faucet {
        holder,
        prefix: setup.prefix,
        coins: setup.coins,
        limits: setup.limits.into(),
        requests,
        state,
        behind_proxy: setup.behind_proxy,
    };
    giver.start().map_err(failure)?;
    let router = server::router(Arc::new(faucet));
    let serve = tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        // Nobody is left to tell when it ends.
        let _ = axum::serve(listener, service).await;
    });
    Ok(Running { address, serve })
}

async fn until(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn coins(given: &[String]) -> Result<Vec<Coin>, Failure> {
    let mut coins: Vec<Coin> = Vec::new();
    for text in given.iter().flat_map(|texts| texts.split(',')) {
        let wrong = |reason: &str| {
            Failure::usage(format!("--give {text}: {reason}"))
                .hint("an amount and its denomination are right, as 1000000boot")
        };
        let coin = Coin::parse(text.trim()).map_err(|error| wrong(&error.to_string()))?;
        if coin.amount.0 == 0 {
            return Err(wrong("it is zero"));
        }
        if coins.iter().any(|other| other.denom == coin.denom) {
            return Err(wrong("this denomination is given already"));
        }
        coins.push(coin);
    }
    Ok(coins)
}

/// Reads `90s`, `15m`, `12h`, `2d`.
fn duration(text: &str) -> Result<Duration, String> {
    let right = || "a number with s, m, h or d is right, such as 12h".to_owned();
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(right()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| right())?;
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(right)
}
