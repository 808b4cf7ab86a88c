//! Sends tokens: `cargo run --example send -- --node URL --words "…" --to ADDRESS --amount 5boot`.
//! On the development chain the words of its accounts stand in the banner of `cyberd dev`.

pub mod flags;

use cyberd::client::{keys::Secret, Client, Draft, Failure, FeeChoice, Sender, SigningKey};
use cyberd::types::Coin;
use flags::Flags;

pub async fn run(flags: &Flags) -> Result<String, Failure> {
    let client = Client::new(flags.or("node", "http://127.0.0.1:26657"))?;
    let key = SigningKey::of_secret("mine", Secret::of_words(flags.get("words")?, 0)?);
    let from = key.address().to_bech32("bostrom");
    let wrong = |error| Failure::usage(format!("--amount: {error}"));
    let coin = Coin::parse(flags.get("amount")?).map_err(wrong)?;
    let to = flags.get("to")?;

    let fee = FeeChoice::of_minimum(flags.or("gas-price", "0boot"))?;
    let draft = Draft::send(&from, to, &coin).paying(fee).memo("from the example");
    let sender = Sender { client: &client, home: None, prefix: "bostrom", key: &key };
    let included = sender.send(&draft, &mut |_| ()).await?.wait(&client).await?;

    let held = client.balance(to, &coin.denom).await?;
    Ok(format!("block {}: {to} holds {held}", included.height))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    println!("{}", run(&Flags::of_process()?).await?);
    Ok(())
}
