//! Ranks, rounds, links.

use crate::cli::context::Context;
use crate::cli::output::{grouped, table, Answer};
use crate::cli::words::{rank_text, Named, Words};
use crate::client::Failure;
use crate::types::Particle;
use cyber_proto::cyberd::v1::Round;
use serde_json::{json, Value};

/// One particle.
#[derive(Debug, clap::Args)]
pub(super) struct What {
    /// A text or a CID
    #[arg(value_name = "TEXT|CID")]
    particle: String,
    /// Take it as a text even where it looks like a CID
    #[arg(long)]
    text: bool,
}

/// The newest rank rounds: what each covered and changed
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cyberd query rounds --limit 3")]
pub(super) struct Rounds {
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    limit: u64,
}

/// The ranks a round changed
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd query deltas 7
  cyberd query deltas 7 --offset 1000 --limit 1000 --output json")]
pub(super) struct Deltas {
    /// Number of the round
    round: u64,
    /// Leave out this many
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u64,
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    limit: u64,
}

/// Whether a link is there: of one neuron, or of anyone
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd query link dog animal
  cyberd query link dog animal --neuron alice")]
pub(super) struct Link {
    /// A text or a CID
    #[arg(value_name = "FROM")]
    start: String,
    /// A text or a CID
    #[arg(value_name = "TO")]
    end: String,
    /// An address, or the name of a key of this home [default: anyone]
    #[arg(long, value_name = "ADDRESS|KEY")]
    neuron: Option<String>,
}

pub(super) fn stats(context: &Context) -> Result<Answer, Failure> {
    let client = context.client()?;
    let stats = context.block_on(client.graph_stats())?;
    let text =
        format!("{} links, {} particles", grouped(stats.cyberlinks), grouped(stats.particles));
    Ok(Answer::new(json!({"links": stats.cyberlinks, "particles": stats.particles}), text))
}

pub(super) fn rank(context: &Context, what: &What) -> Result<Answer, Failure> {
    let named = Named::parse(&what.particle, what.text)?;
    let client = context.client()?;
    let rank = context.block_on(client.rank(&named.particle))?;
    let words = Words::open(context)?;
    let mut json = words.json_named(&named);
    json["rank"] = json!(rank);
    Ok(Answer::new(json, rank_text(rank)))
}

pub(super) fn entropy(context: &Context, what: &What) -> Result<Answer, Failure> {
    let named = Named::parse(&what.particle, what.text)?;
    let client = context.client()?;
    let entropy = context.block_on(client.entropy(&named.particle))?;
    let words = Words::open(context)?;
    let mut json = words.json_named(&named);
    json["entropy"] = json!(entropy);
    Ok(Answer::new(json, rank_text(entropy)))
}

pub(super) fn negentropy(context: &Context) -> Result<Answer, Failure> {
    let client = context.client()?;
    let bits = context.block_on(client.negentropy())?;
    Ok(Answer::new(json!({"negentropy": bits}), bits.to_string()))
}

pub(super) fn karma(context: &Context, who: &str) -> Result<Answer, Failure> {
    let (client, address) = (context.client()?, context.address(who)?);
    let karma = context.block_on(client.karma(&address))?;
    Ok(Answer::new(json!({"neuron": address, "karma": karma}), rank_text(karma)))
}

pub(super) fn rounds(context: &Context, rounds: &Rounds) -> Result<Answer, Failure> {
    let client = context.client()?;
    let rounds = context.block_on(client.rounds(rounds.limit))?;
    let json: Vec<Value> = rounds.iter().map(round_json).collect();
    let head = ["round", "frozen", "published", "particles", "links", "changed", "sweeps", "left"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(rounds.iter().map(|round| {
        vec![
            round.round.to_string(),
            round.height_frozen.to_string(),
            round.height_published.to_string(),
            grouped(round.particles),
            grouped(round.links),
            grouped(round.ranks_changed),
            round.sweeps.to_string(),
            grouped(round.changed_in_last_sweep),
        ]
    }));
    let text = match rounds.is_empty() {
        true => "no round yet: the first comes out one period after the first link".to_owned(),
        false => table(&rows),
    };
    Ok(Answer::new(json!({ "rounds": json }), text))
}

/// A round for programs.
pub fn round_json(round: &Round) -> Value {
    json!({
        "round": round.round,
        "height_frozen": round.height_frozen,
        "height_published": round.height_published,
        "particles": round.particles,
        "links": round.links,
        "total_value": round.total_value,
        "ranks_changed": round.ranks_changed,
        "sweeps": round.sweeps,
        "changed_in_last_sweep": round.changed_in_last_sweep,
        "root_before": hex::encode(&round.root_before),
        "root_after": hex::encode(&round.root_after),
    })
}

pub(super) fn deltas(context: &Context, deltas: &Deltas) -> Result<Answer, Failure> {
    let client = context.client()?;
    let words = Words::open(context)?;
    let asked = client.deltas(deltas.round, deltas.offset, deltas.limit);
    let (changes, total) = context.block_on(asked)?;
    let mut json = Vec::new();
    let mut rows = vec![["number", "before", "after", "particle"].map(str::to_owned).to_vec()];
    for delta in &changes {
        let particle = Particle::parse(&delta.particle);
        let text = particle.as_ref().ok().and_then(|particle| words.text(particle));
        let shown = particle.map_or_else(|_| delta.particle.clone(), |one| words.show(&one));
        let (number, old, new) = (delta.number, delta.old_value, delta.new_value);
        rows.push(vec![number.to_string(), old.to_string(), new.to_string(), shown]);
        json.push(json!({
            "particle": delta.particle,
            "text": text,
            "number": number,
            "old_value": old,
            "new_value": new,
        }));
    }
    let text = format!("round {} changed {} ranks\n{}", deltas.round, grouped(total), table(&rows));
    Ok(Answer::new(json!({"round": deltas.round, "total": total, "deltas": json}), text))
}

pub(super) fn link(context: &Context, link: &Link) -> Result<Answer, Failure> {
    let (from, to) = (Named::parse(&link.start, false)?, Named::parse(&link.end, false)?);
    let neuron = link.neuron.as_deref().map(|who| context.address(who)).transpose()?;
    let client = context.client()?;
    let asked = client.link_exists(neuron.as_deref(), &from.particle, &to.particle);
    let exists = context.block_on(asked)?;
    let json = json!({
        "from": from.particle.to_cid(),
        "to": to.particle.to_cid(),
        "neuron": neuron,
        "exists": exists,
    });
    Ok(Answer::new(json, if exists { "yes" } else { "no" }))
}
