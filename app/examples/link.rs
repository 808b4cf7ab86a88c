//! Links a text to another and waits for the rank:
//! `cargo run --example link -- --node URL --words "…" --from dog --to animal`.

pub mod flags;

use cyberd::client::queries::{RankList, RankPage};
use cyberd::client::{keys::Secret, Client, Draft, Failure, Sender, SigningKey};
use cyberd::types::cid::particle_of_text;
use flags::Flags;
use std::time::Duration;

pub async fn run(flags: &Flags) -> Result<String, Failure> {
    let client = Client::new(flags.or("node", "http://127.0.0.1:26657"))?;
    let key = SigningKey::of_secret("mine", Secret::of_words(flags.get("words")?, 0)?);
    let neuron = key.address().to_bech32("bostrom");
    let (_, from) = particle_of_text(flags.get("from")?);
    let (_, to) = particle_of_text(flags.get("to")?);

    // A link costs bandwidth, no coins. The last argument: a link that is there is no failure.
    let draft = Draft::link(&neuron, &[(from, to)], true);
    let sender = Sender { client: &client, home: None, prefix: "bostrom", key: &key };
    let included = sender.send(&draft, &mut |_| ()).await?.wait(&client).await?;

    // The link counts from the next round on.
    while client.rank(&to).await? == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let page = RankPage { page: 0, per_page: 10 };
    let found = client.ranked(RankList::Search(from), page).await?;
    let lines = found.particles.iter().map(|(to, rank)| format!("\n{} {rank}", to.to_cid()));
    Ok(format!(
        "block {}: {} leads to{}",
        included.height,
        from.to_cid(),
        lines.collect::<String>()
    ))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    println!("{}", run(&Flags::of_process()?).await?);
    Ok(())
}
