//! Where a rank comes from. The arithmetic stands in [`crate::search::explain`]; here it is
//! scaled to shares of 10^15 that sum exactly, and cut into pages.

use super::super::{page, Context, QueryError};
use super::links::{cid, existing};
use crate::modules::rank;
use crate::search::explain::{self, Share};
use crate::search::RANK_SCALE;
use crate::types::ParticleNumber;
use cyber_proto::cyberd::v1 as proto;

/// The parts of a particle's rank.
pub fn explain(
    context: &Context<'_>,
    request: proto::QueryExplainRequest,
) -> Result<proto::QueryExplainResponse, QueryError> {
    context.at_latest()?;
    let particle = existing(context, &request.particle)?;
    let snapshot = context.snapshot;
    let view = context.index.view(snapshot)?;
    let inputs = context.index.inputs(snapshot);
    let explained = explain::explain(
        &view,
        inputs.as_deref().unwrap_or(snapshot),
        particle,
        &context.deadline,
    )?;
    let scaled = Scaled::new(context, particle, &explained);
    let total = explained.shares.len() as u64;
    let (places, mut pagination) = page::numbers(context, total, request.pagination.as_ref())
        .map_err(|error| error.or(QueryError::invalid))?;
    pagination.total = total;
    let shares = places.into_iter().filter_map(|place| {
        let place = usize::try_from(place).ok()?;
        let Share { link, value, .. } = *explained.shares.get(place)?;
        let record = view.link(link);
        Some(proto::RankShare {
            link: link.0.into(),
            neuron: context.bech32(&record.neuron),
            from: cid(context, record.from),
            value,
            rank: scaled.ranks[place],
        })
    });
    let links_value: u64 = explained.shares.iter().map(|share| share.value).sum();
    Ok(proto::QueryExplainResponse {
        particle: request.particle,
        round: rank::state::published(snapshot).map_or(0, |published| published.round),
        inputs_round: explained.inputs_round,
        value: explained.value,
        rank: scaled.whole,
        base_value: explained.base,
        base_rank: scaled.base,
        links_value,
        links_rank: scaled.links,
        held_value: signed(explained.value) - signed(explained.base + links_value),
        held_rank: signed(scaled.whole) - signed(scaled.base + scaled.links),
        shares: shares.collect(),
        pagination: Some(pagination),
    })
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).expect("values and their sums are below 2^63")
}

/// The parts as shares of 10^15: running sums scaled and rounded down, a part the difference of
/// two, so that they sum to the scaled whole.
struct Scaled {
    whole: u64,
    base: u64,
    links: u64,
    ranks: Vec<u64>,
}

impl Scaled {
    fn new(
        context: &Context<'_>,
        particle: ParticleNumber,
        explained: &explain::Explained,
    ) -> Scaled {
        let total = context.snapshot.rank().total();
        let scale = |sum: u64| {
            // Values are below 2^63, the scale below 2^50.
            let scaled = u128::from(sum) * u128::from(RANK_SCALE);
            scaled.checked_div(total).map_or(0, |it| u64::try_from(it).unwrap_or(u64::MAX))
        };
        let base = scale(explained.base);
        let (mut sum, mut before) = (explained.base, base);
        let mut ranks = Vec::with_capacity(explained.shares.len());
        for share in &explained.shares {
            sum += share.value;
            let now = scale(sum);
            ranks.push(now - before);
            before = now;
        }
        let whole = crate::search::scaled_rank(context.snapshot, particle);
        Scaled { whole, base, links: before - base, ranks }
    }
}
