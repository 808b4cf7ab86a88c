//! `cyber.graph.v1beta1.Query`.

use crate::query::{Context, QueryError};
use cyber_proto::cyber::graph::v1beta1::{QueryGraphStatsRequest, QueryGraphStatsResponse};

/// How many links and particles there are.
pub fn graph_stats(
    context: &Context<'_>,
    _: QueryGraphStatsRequest,
) -> Result<QueryGraphStatsResponse, QueryError> {
    let sizes = context.snapshot.sizes();
    let (cyberlinks, particles) = (sizes.links.into(), sizes.particles.into());
    Ok(QueryGraphStatsResponse { cyberlinks, particles })
}
