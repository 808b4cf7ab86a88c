//! Links in lists and which of them exist.

use super::super::{page, Context, QueryError};
use crate::search::{List, View};
use crate::state::Read;
use crate::types::{Address, LinkNumber, Particle, ParticleNumber};
use cyber_proto::cyber::graph::v1beta1::Link;
use cyber_proto::cyberd::v1 as proto;

/// Links asked for at once.
const EXISTS_MAX: usize = 1_000;

/// The links of a neuron or of a particle, newest first. Their times are those of blocks, which
/// the state does not know: `remote` adds them.
pub fn links_of(
    context: &Context<'_>,
    request: proto::QueryLinksOfRequest,
) -> Result<proto::QueryLinksOfResponse, QueryError> {
    let view = context.index.view(context.snapshot)?;
    let none =
        || proto::QueryLinksOfResponse { links: Vec::new(), pagination: Some(Default::default()) };
    let list = match (request.neuron.as_str(), request.particle.as_str()) {
        ("", "") => return Err(QueryError::invalid("whose links? Name a neuron or a particle")),
        (neuron, "") => {
            let address = neuron_address(context, neuron)?;
            match context.snapshot.neuron_number(&address) {
                Some(number) => List::Of(number),
                // Who never linked has no number.
                None => return Ok(none()),
            }
        }
        ("", particle) => {
            let number = existing(context, particle)?;
            match request.direction() {
                proto::Direction::In => List::To(number),
                proto::Direction::Out | proto::Direction::Unspecified => List::From(number),
            }
        }
        _ => return Err(QueryError::invalid("name a neuron or a particle, not both")),
    };
    let walk = |first| view.list(list, first);
    let (numbers, pagination) = page::links(context, request.pagination.as_ref(), walk)
        .map_err(|error| error.or(QueryError::invalid))?;
    let links = numbers.into_iter().map(|number| record(context, &view, number)).collect();
    Ok(proto::QueryLinksOfResponse { links, pagination: Some(pagination) })
}

fn record(context: &Context<'_>, view: &View<'_>, number: LinkNumber) -> proto::LinkRecord {
    let link = view.link(number);
    proto::LinkRecord {
        number: number.0.into(),
        neuron: context.bech32(&link.neuron),
        from: cid(context, link.from),
        to: cid(context, link.to),
        height: link.height.0,
        time: None,
    }
}

/// Which links exist, of one neuron or of anybody.
pub fn exists(
    context: &Context<'_>,
    request: proto::QueryExistsRequest,
) -> Result<proto::QueryExistsResponse, QueryError> {
    let asked = request.links.len();
    if asked == 0 || asked > EXISTS_MAX {
        let text = format!("{asked} links asked for, 1 to {EXISTS_MAX} at once are right");
        return Err(QueryError::invalid(text));
    }
    let neuron = match request.neuron.as_str() {
        "" => None,
        neuron => Some(neuron_address(context, neuron)?),
    };
    let links = request.links.iter().enumerate().map(|(index, link)| {
        let found = link_exists(context, neuron.as_ref(), link);
        found.map_err(|error| match error {
            QueryError::Status(status, text) => {
                QueryError::Status(status, format!("link {index}: {text}"))
            }
            other => other,
        })
    });
    Ok(proto::QueryExistsResponse { exists: links.collect::<Result<_, _>>()? })
}

fn link_exists(
    context: &Context<'_>,
    neuron: Option<&Address>,
    link: &Link,
) -> Result<bool, QueryError> {
    let (from, to) = (parse(&link.from)?, parse(&link.to)?);
    let number = |particle| context.snapshot.particle_number(particle);
    let (Some(from), Some(to)) = (number(&from), number(&to)) else { return Ok(false) };
    match neuron {
        Some(neuron) => Ok(context.snapshot.has_link(neuron, from, to)),
        None => {
            let view = context.index.view(context.snapshot)?;
            Ok(view.has_any_link(from, to, &context.deadline)?)
        }
    }
}

/// The address of a neuron in a request.
pub fn neuron_address(context: &Context<'_>, text: &str) -> Result<Address, QueryError> {
    let address = context.address(text);
    address.map_err(|error| QueryError::invalid(format!("invalid neuron address: {error}")))
}

/// A particle in a request.
fn parse(cid: &str) -> Result<Particle, QueryError> {
    Particle::parse(cid).map_err(|error| QueryError::invalid(error.to_string()))
}

/// A particle in a request that has to be there.
pub fn existing(context: &Context<'_>, cid: &str) -> Result<ParticleNumber, QueryError> {
    let number = context.snapshot.particle_number(&parse(cid)?);
    number.ok_or_else(|| QueryError::not_found(format!("nobody linked particle {cid}")))
}

/// A particle as answers spell it.
pub fn cid(context: &Context<'_>, number: ParticleNumber) -> String {
    context.snapshot.particle(number).map_or_else(String::new, |particle| particle.to_cid())
}
