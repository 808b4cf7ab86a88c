//! The snapshot connection: state sync, both sides. Converts, hands over, logs the reasons.

use super::convert::{self, wire};
use super::Application;
use crate::engine::{ChunkVerdict, OfferVerdict};
use crate::error::Fault;
use crate::types::Height;
use wire::response_apply_snapshot_chunk::Result as Apply;
use wire::response_offer_snapshot::Result as Offer;

pub fn list_snapshots(application: &dyn Application) -> wire::ResponseListSnapshots {
    let snapshots = application.list_snapshots().into_iter().map(convert::snapshot).collect();
    wire::ResponseListSnapshots { snapshots }
}

pub fn offer_snapshot(
    application: &dyn Application,
    request: wire::RequestOfferSnapshot,
) -> Result<wire::ResponseOfferSnapshot, Fault> {
    let (snapshot, app_hash) = convert::offer(request)?;
    let (height, format) = (snapshot.height, snapshot.format);
    let (result, reason) = match application.offer_snapshot(snapshot, app_hash)? {
        OfferVerdict::Accept => (Offer::Accept, String::new()),
        OfferVerdict::Abort(reason) => (Offer::Abort, reason),
        OfferVerdict::Reject(reason) => (Offer::Reject, reason),
        OfferVerdict::RejectFormat(reason) => (Offer::RejectFormat, reason),
        OfferVerdict::RejectSender(reason) => (Offer::RejectSender, reason),
    };
    tracing::info!(
        height = height.0,
        format,
        answer = result.as_str_name(),
        reason,
        "snapshot offered"
    );
    Ok(wire::ResponseOfferSnapshot { result: result.into() })
}

/// An empty part where there is none: CometBFT tells the peer it is missing.
pub fn load_snapshot_chunk(
    application: &dyn Application,
    request: wire::RequestLoadSnapshotChunk,
) -> wire::ResponseLoadSnapshotChunk {
    let wire::RequestLoadSnapshotChunk { height, format, chunk } = request;
    let found = application.load_snapshot_chunk(Height(height), format, chunk);
    wire::ResponseLoadSnapshotChunk { chunk: found.unwrap_or_default() }
}

pub fn apply_snapshot_chunk(
    application: &dyn Application,
    request: wire::RequestApplySnapshotChunk,
) -> Result<wire::ResponseApplySnapshotChunk, Fault> {
    let wire::RequestApplySnapshotChunk { index, chunk, sender } = request;
    let (mut refetch_chunks, mut reject_senders) = (Vec::new(), Vec::new());
    let (result, reason) = match application.apply_snapshot_chunk(index, chunk, &sender)? {
        ChunkVerdict::Accept => (Apply::Accept, None),
        ChunkVerdict::Retry { reason, refetch, reject_senders: senders } => {
            (refetch_chunks, reject_senders) = (refetch, senders);
            (Apply::Retry, Some(reason))
        }
        ChunkVerdict::RejectSnapshot(reason) => (Apply::RejectSnapshot, Some(reason)),
        ChunkVerdict::Abort(reason) => (Apply::Abort, Some(reason)),
    };
    if let Some(reason) = reason {
        tracing::warn!(index, sender, answer = result.as_str_name(), reason, "snapshot part");
    }
    Ok(wire::ResponseApplySnapshotChunk { result: result.into(), refetch_chunks, reject_senders })
}
