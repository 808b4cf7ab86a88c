//! `cyber.rank.v1beta1.Query`, with go-cyber's words and codes where it answers, and an empty page
//! where it panics. Ranks are asked at the latest height.

use super::state;
use crate::error::code;
use crate::modules::auth;
use crate::query::{Context, QueryError};
use crate::search::{self, Page, SearchError, Side};
use crate::state::Read;
use crate::types::{Address, Particle, ParticleError, ParticleNumber};
use cyber_proto::cyber::rank::v1beta1 as proto;
use std::ops::Range;

/// The module's parameters.
pub fn params(
    context: &Context<'_>,
    _: proto::QueryParamsRequest,
) -> Result<proto::QueryParamsResponse, QueryError> {
    Ok(proto::QueryParamsResponse { params: Some(state::params(context.snapshot).to_proto()) })
}

/// The rank of a particle.
pub fn rank(
    context: &Context<'_>,
    request: proto::QueryRankRequest,
) -> Result<proto::QueryRankResponse, QueryError> {
    context.at_latest()?;
    let particle = Particle::parse(&request.particle).map_err(|error| match error {
        ParticleError::Invalid(_) => {
            QueryError::registered(code::INVALID_PARTICLE, "invalid particle")
        }
        ParticleError::Version(_) => {
            QueryError::registered(code::CID_VERSION, "unsupported cid version")
        }
    })?;
    let number = context.snapshot.particle_number(&particle);
    let number = number.ok_or_else(|| unknown(&request.particle))?;
    Ok(proto::QueryRankResponse { rank: search::scaled_rank(context.snapshot, number) })
}

/// What a particle links to, best first.
pub fn search(
    context: &Context<'_>,
    request: proto::QuerySearchRequest,
) -> Result<proto::QuerySearchResponse, QueryError> {
    context.at_latest()?;
    // go-cyber does not say which particle here.
    let number = context.particle(&request.particle).ok_or_else(|| unknown(""))?;
    neighbours(context, number, Side::Targets, request.pagination)
}

/// What links to a particle, best first.
pub fn backlinks(
    context: &Context<'_>,
    request: proto::QuerySearchRequest,
) -> Result<proto::QuerySearchResponse, QueryError> {
    context.at_latest()?;
    let number = find(context, &request.particle)?;
    neighbours(context, number, Side::Sources, request.pagination)
}

/// The best of all particles.
pub fn top(
    context: &Context<'_>,
    request: proto::QueryTopRequest,
) -> Result<proto::QuerySearchResponse, QueryError> {
    context.at_latest()?;
    let places = places(context, request.pagination)?;
    response(context, context.index.top(context.snapshot, places, &context.deadline))
}

/// Whether a neuron made a link.
pub fn is_link_exist(
    context: &Context<'_>,
    request: proto::QueryIsLinkExistRequest,
) -> Result<proto::QueryLinkExistResponse, QueryError> {
    let neuron = neuron(context, &request.address)?;
    let (from, to) = (find(context, &request.from)?, find(context, &request.to)?);
    check_account(context, &neuron)?;
    Ok(proto::QueryLinkExistResponse { exist: context.snapshot.has_link(&neuron, from, to) })
}

/// Whether anybody made a link.
pub fn is_any_link_exist(
    context: &Context<'_>,
    request: proto::QueryIsAnyLinkExistRequest,
) -> Result<proto::QueryLinkExistResponse, QueryError> {
    let (from, to) = (find(context, &request.from)?, find(context, &request.to)?);
    let view = context.index.view(context.snapshot)?;
    Ok(proto::QueryLinkExistResponse { exist: view.has_any_link(from, to, &context.deadline)? })
}

/// The entropy of a particle.
pub fn particle_negentropy(
    context: &Context<'_>,
    request: proto::QueryNegentropyPartilceRequest,
) -> Result<proto::QueryNegentropyParticleResponse, QueryError> {
    context.at_latest()?;
    let number = find(context, &request.particle)?;
    let entropy = search::entropy(context.snapshot, number);
    Ok(proto::QueryNegentropyParticleResponse { entropy })
}

/// The negentropy of the graph, in bits.
pub fn negentropy(
    context: &Context<'_>,
    _: proto::QueryNegentropyRequest,
) -> Result<proto::QueryNegentropyResponse, QueryError> {
    context.at_latest()?;
    let negentropy = context.index.negentropy(context.snapshot, &context.deadline)?;
    Ok(proto::QueryNegentropyResponse { negentropy })
}

/// The karma of a neuron.
pub fn karma(
    context: &Context<'_>,
    request: proto::QueryKarmaRequest,
) -> Result<proto::QueryKarmaResponse, QueryError> {
    context.at_latest()?;
    let neuron = neuron(context, &request.neuron)?;
    check_account(context, &neuron)?;
    let view = context.index.view(context.snapshot)?;
    let karma = match context.snapshot.neuron_number(&neuron) {
        Some(number) => view.karma(number, &context.deadline)?,
        None => 0,
    };
    Ok(proto::QueryKarmaResponse { karma })
}

fn neighbours(
    context: &Context<'_>,
    particle: ParticleNumber,
    side: Side,
    pagination: Option<proto::PageRequest>,
) -> Result<proto::QuerySearchResponse, QueryError> {
    let places = places(context, pagination)?;
    let page = context
        .index
        .view(context.snapshot)
        .and_then(|view| view.neighbours(particle, side, places, &context.deadline));
    response(context, page)
}

/// A page by number and length, counted from 0; absent: the first ten.
fn places(
    context: &Context<'_>,
    pagination: Option<proto::PageRequest>,
) -> Result<Range<usize>, QueryError> {
    let proto::PageRequest { page, per_page } =
        pagination.unwrap_or(proto::PageRequest { page: 0, per_page: 10 });
    let rows = per_page as usize;
    if rows > context.limits.rows_max {
        return Err(QueryError::registered(code::INVALID_REQUEST, "invalid request"));
    }
    let start = u64::from(page) * u64::from(per_page);
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    Ok(start..start.saturating_add(rows))
}

/// The answer on the wire. Where search is switched off it is empty, as go-cyber's is.
fn response(
    context: &Context<'_>,
    page: Result<Page, SearchError>,
) -> Result<proto::QuerySearchResponse, QueryError> {
    let page = match page {
        Err(SearchError::Off) => Page::default(),
        page => page?,
    };
    let ranked = |ranked: &search::Ranked| {
        let particle = context.snapshot.particle(ranked.particle);
        let particle = particle.expect("answers are particles of the state").to_cid();
        proto::RankedParticle { particle, rank: ranked.rank }
    };
    let total = u32::try_from(page.total).expect("fewer than 2^32 particles");
    Ok(proto::QuerySearchResponse {
        result: page.ranked.iter().map(ranked).collect(),
        pagination: Some(proto::PageResponse { total }),
    })
}

fn find(context: &Context<'_>, cid: &str) -> Result<ParticleNumber, QueryError> {
    context.particle(cid).ok_or_else(|| unknown(cid))
}

fn unknown(cid: &str) -> QueryError {
    QueryError::about(code::PARTICLE_NOT_FOUND, "particle not found", cid)
}

fn neuron(context: &Context<'_>, text: &str) -> Result<Address, QueryError> {
    let address = context.address(text);
    address.map_err(|error| bad_address(&error))
}

fn check_account(context: &Context<'_>, neuron: &Address) -> Result<(), QueryError> {
    match auth::state::account(context.snapshot, neuron) {
        Some(_) => Ok(()),
        None => Err(bad_address("Invalid neuron address")),
    }
}

fn bad_address(text: &str) -> QueryError {
    QueryError::about(code::INVALID_ADDRESS, "invalid address", text)
}
