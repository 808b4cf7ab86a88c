//! The worker's side: one device, one node, one request at a time.
//!
//! It keeps nothing that the node cannot send again. Any error is told to the node, if that still
//! works, and ends the worker: after an error the contents of a device are unknown.

use std::io;
use std::os::unix::net::UnixStream;

use super::device::{Device, DeviceError};
use super::resident::{Resident, Start, Sweeps};
use super::shared::Shared;
use super::wire::{Layout, Reply, Request};
use crate::Link;

/// Why a worker ended before the node closed the socket.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("the node: {0}")]
    Node(#[from] io::Error),
}

/// Serves a node until it closes the socket. `open` gives the device; it is called at the first
/// request, so that its failure reaches the node.
///
/// # Errors
/// What went wrong; the node knows it already, unless it is gone.
pub fn serve(
    mut socket: UnixStream,
    shared: &Shared,
    open: impl FnOnce() -> Result<Device, DeviceError>,
) -> Result<(), Ended> {
    let result = answer_all(&mut socket, shared, open);
    if let Err(error) = &result {
        // The node may be gone.
        let _ = Reply::Failed { reason: error.to_string() }.write(&mut socket);
    }
    result
}

fn answer_all(
    socket: &mut UnixStream,
    shared: &Shared,
    open: impl FnOnce() -> Result<Device, DeviceError>,
) -> Result<(), Ended> {
    let mut graph = Resident::new(open()?);
    while let Some(request) = Request::read(socket)? {
        let reply = match request {
            Request::Hello => Reply::Ready { device: graph.device_name() },
            Request::Clear => {
                graph = Resident::new(graph.into_device()?);
                Reply::Done
            }
            Request::Grow { particles } => {
                graph.grow(particles)?;
                Reply::Done
            }
            Request::Links { count } => {
                let triples: Vec<u32> = shared.read(0, count as usize * 3)?;
                let triples = triples.chunks_exact(3);
                let link = |link: &[u32]| Link { neuron: link[0], from: link[1], to: link[2] };
                graph.append_links(&triples.map(link).collect::<Vec<_>>())?;
                Reply::Done
            }
            Request::Stakes { count } => {
                let stakes: Vec<u32> = shared.read(0, count as usize * 3)?;
                for entry in stakes.chunks_exact(3) {
                    let stake = (u64::from(entry[2]) << 32) | u64::from(entry[1]);
                    graph.set_stake(entry[0], stake);
                }
                Reply::Done
            }
            Request::Run { parameters, given, sample } => {
                let particles = graph.particles();
                let codes: Vec<u32> = match given {
                    true => shared.read(0, particles as usize)?,
                    false => Vec::new(),
                };
                let start = if given { Start::Codes(&codes) } else { Start::LastRound };
                let sweeps = graph.run(&parameters, start, (sample > 0).then_some(sample))?;
                hand_over(shared, Layout::new(particles, parameters.sweeps), &sweeps)?;
                Reply::Answer {
                    particles,
                    sweeps: sweeps.sweeps,
                    changed: sweeps.changed_in_last_sweep,
                    total: sweeps.total,
                }
            }
        };
        reply.write(socket)?;
    }
    Ok(())
}

/// Writes the arrays of an answer where the node looks for them.
pub fn hand_over(shared: &Shared, layout: Layout, sweeps: &Sweeps) -> io::Result<()> {
    shared.reserve(layout.end)?;
    shared.write(0, &sweeps.codes)?;
    shared.write(layout.hashes, &sweeps.hashes)?;
    if let Some([before, after]) = &sweeps.sample {
        shared.write(layout.before, before)?;
        shared.write(layout.after, after)?;
    }
    Ok(())
}
