//! Why a text has its rank, link by link: `cargo run --example explain -- --node URL --text dog`.

pub mod flags;

use cyberd::client::{Client, Failure};
use cyberd::types::cid::particle_of_text;
use flags::Flags;

pub async fn run(flags: &Flags) -> Result<String, Failure> {
    let client = Client::new(flags.or("node", "http://127.0.0.1:26657"))?;
    let (_, particle) = particle_of_text(flags.get("text")?);
    let why = client.explain(&particle, 20).await?;

    let lines = why.shares.iter().map(|share| {
        format!("{:>16}  link {} from {} by {}", share.rank, share.link, share.from, share.neuron)
    });
    let mut lines: Vec<String> = lines.collect();
    let shown: u64 = why.shares.iter().map(|share| share.rank).sum();
    lines.push(format!("{:>16}  further links", why.links_rank - shown));
    lines.push(format!("{:>16}  every particle has", why.base_rank));
    lines.push(format!("{:>16}  held by rounding", why.held_rank));
    lines.push(format!("{:>16}  is the rank of {} in round {}", why.rank, why.particle, why.round));
    Ok(lines.join("\n"))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    println!("{}", run(&Flags::of_process()?).await?);
    Ok(())
}
