//! What surrounds a particle: the best by rank at each distance, and the links among them.

use super::super::{Context, QueryError};
use super::links::{cid, existing};
use crate::search::{self, Ranked, Side, View};
use crate::types::ParticleNumber;
use cyber_proto::cyberd::v1 as proto;
use std::collections::{BTreeMap, BTreeSet};

const DEPTH_MAX: u32 = 3;
const NODES_MAX: usize = 1_000;
const NODES_DEFAULT: usize = 100;
const EDGES_MAX: usize = 10_000;

/// The particles around one, up to so many links away.
pub fn neighbourhood(
    context: &Context<'_>,
    request: proto::QueryNeighbourhoodRequest,
) -> Result<proto::QueryNeighbourhoodResponse, QueryError> {
    context.at_latest()?;
    let depth = request.depth.max(1);
    let limit = match request.limit {
        0 => NODES_DEFAULT,
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    if depth > DEPTH_MAX || limit > NODES_MAX {
        return Err(QueryError::invalid(format!(
            "depth {depth} and limit {limit}: a depth of 1 to {DEPTH_MAX} and a limit of 1 to \
             {NODES_MAX} are right"
        )));
    }
    let center = existing(context, &request.particle)?;
    let sides: &[Side] = match request.direction() {
        proto::Direction::Unspecified => &[Side::Targets, Side::Sources],
        proto::Direction::Out => &[Side::Targets],
        proto::Direction::In => &[Side::Sources],
    };
    let view = context.index.view(context.snapshot)?;
    let mut around = Around::new(context, view, center);
    for distance in 1..=depth {
        around.step(distance, sides, limit)?;
    }
    let edges = around.edges()?;
    let node = |(ranked, depth): &(Ranked, u32)| proto::Neighbour {
        particle: cid(context, ranked.particle),
        rank: ranked.rank,
        depth: *depth,
    };
    let nodes = around.nodes.iter().map(node).collect();
    Ok(proto::QueryNeighbourhoodResponse { nodes, edges, cut: around.cut })
}

struct Around<'a> {
    context: &'a Context<'a>,
    view: View<'a>,
    nodes: Vec<(Ranked, u32)>,
    places: BTreeMap<ParticleNumber, u32>,
    cut: bool,
}

impl<'a> Around<'a> {
    fn new(context: &'a Context<'a>, view: View<'a>, center: ParticleNumber) -> Around<'a> {
        let rank = search::scaled_rank(context.snapshot, center);
        let nodes = vec![(Ranked { particle: center, rank }, 0)];
        Around { context, view, nodes, places: BTreeMap::from([(center, 0)]), cut: false }
    }

    /// Takes in the best of what the last distance leads to.
    fn step(&mut self, distance: u32, sides: &[Side], limit: usize) -> Result<(), QueryError> {
        let mut found: BTreeMap<ParticleNumber, u64> = BTreeMap::new();
        let last = self.nodes.iter().filter(|(_, depth)| *depth + 1 == distance);
        for (ranked, _) in last {
            for side in sides {
                // One more than fits tells whether there is more.
                let places = 0..limit + 1;
                let (view, deadline) = (&self.view, &self.context.deadline);
                let page = view.neighbours(ranked.particle, *side, places, deadline)?;
                self.cut |= page.total > limit;
                for near in page.ranked {
                    if !self.places.contains_key(&near.particle) {
                        found.insert(near.particle, near.rank);
                    }
                }
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by_key(|(particle, rank)| (u64::MAX - rank, *particle));
        let room = limit.saturating_sub(self.nodes.len());
        self.cut |= found.len() > room;
        for (particle, rank) in found.into_iter().take(room) {
            let place = u32::try_from(self.nodes.len()).expect("at most a thousand");
            self.places.insert(particle, place);
            self.nodes.push((Ranked { particle, rank }, distance));
        }
        Ok(())
    }

    /// The links among the nodes.
    fn edges(&self) -> Result<Vec<proto::Edge>, QueryError> {
        let mut edges = BTreeSet::new();
        for (place, (ranked, _)) in self.nodes.iter().enumerate() {
            let deadline = &self.context.deadline;
            let page =
                self.view.neighbours(ranked.particle, Side::Targets, 0..NODES_MAX, deadline)?;
            let from = u32::try_from(place).expect("at most a thousand");
            let inside = page.ranked.iter().filter_map(|near| self.places.get(&near.particle));
            edges.extend(inside.map(|to| (from, *to)));
            if edges.len() > EDGES_MAX {
                break;
            }
        }
        let edge = |(from, to)| proto::Edge { from, to };
        Ok(edges.into_iter().take(EDGES_MAX).map(edge).collect())
    }
}
