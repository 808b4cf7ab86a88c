//! The lowest height whose block CometBFT must keep.
//!
//! Invariant: never beyond what our own older checkpoint can restart from. A damaged disk may roll
//! us back to it, and blocks pruned after it could not be replayed: the node would be lost.

use crate::types::Height;

/// Blocks kept below the older checkpoint, whatever the settings say.
const MARGIN: u64 = 1_000;

/// The height, 0: all blocks are kept. `blocks`: how many to keep, 0: all.
pub fn height(latest: Height, blocks: u64, checkpoints: &[Height]) -> Height {
    let [one, other] = checkpoints else { return Height(0) };
    let older = one.min(other).0;
    match blocks {
        0 => Height(0),
        _ => Height(latest.0.saturating_sub(blocks).min(older.saturating_sub(MARGIN))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retained(latest: u64, blocks: u64, checkpoints: &[u64]) -> u64 {
        let checkpoints: Vec<Height> = checkpoints.iter().copied().map(Height).collect();
        height(Height(latest), blocks, &checkpoints).0
    }

    #[test]
    fn as_many_blocks_as_asked_for_are_kept() {
        assert_eq!(retained(50_000, 10_000, &[49_000, 48_000]), 40_000);
        assert_eq!(retained(50_000, 60_000, &[49_000, 48_000]), 0);
    }

    #[test]
    fn an_archive_keeps_everything() {
        assert_eq!(retained(50_000, 0, &[49_000, 48_000]), 0);
    }

    #[test]
    fn the_older_checkpoint_can_always_be_gone_on_from() {
        assert_eq!(retained(50_000, 1_000, &[49_000, 30_000]), 29_000);
        assert_eq!(retained(50_000, 1_000, &[30_000, 49_000]), 29_000);
        assert_eq!(retained(5_000, 1_000, &[900, 4_000]), 0);
    }

    #[test]
    fn with_one_checkpoint_or_none_everything_is_kept() {
        assert_eq!(retained(50_000, 1_000, &[49_000]), 0);
        assert_eq!(retained(50_000, 1_000, &[]), 0);
    }
}
