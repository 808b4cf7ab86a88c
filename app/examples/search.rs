//! What a text leads to, what leads to it, and its rank:
//! `cargo run --example search -- --node URL --text dog`.

pub mod flags;

use cyberd::client::queries::{RankList, RankPage, Ranked};
use cyberd::client::{Client, Failure};
use cyberd::types::cid::particle_of_text;
use flags::Flags;

pub async fn run(flags: &Flags) -> Result<String, Failure> {
    let client = Client::new(flags.or("node", "http://127.0.0.1:26657"))?;
    let (_, particle) = particle_of_text(flags.get("text")?);
    let page = RankPage { page: 0, per_page: 10 };

    let leads_to = client.ranked(RankList::Search(particle), page).await?;
    let comes_from = client.ranked(RankList::Backlinks(particle), page).await?;
    let rank = client.rank(&particle).await?;
    Ok(format!(
        "{} has rank {rank} of 10^15\nleads to {}comes from {}",
        particle.to_cid(),
        lines(&leads_to),
        lines(&comes_from)
    ))
}

fn lines(ranked: &Ranked) -> String {
    let line = |(particle, rank): &(_, u64)| {
        let particle: &cyberd::types::Particle = particle;
        format!("  {} {rank}\n", particle.to_cid())
    };
    let lines: String = ranked.particles.iter().map(line).collect();
    format!("{} particles\n{lines}", ranked.total)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    println!("{}", run(&Flags::of_process()?).await?);
    Ok(())
}
