//! Importing a file of links: many links a message, many messages on the way, until all of it is
//! on the chain.
//!
//! ```text
//! read (lines → plan) → lanes (one per neuron: what goes out next) → run (signs, hands over,
//! follows the chain's height) → journal (what is on the chain)
//! ```
//!
//! Invariants: an import can be ended at any moment and run again; links that exist are passed
//! over, so doing anything twice is harmless; a neuron that cannot go on does not stop the others.
//! It deliberately keeps no connection to the node's files: `cyberd dev` and `cyberd import` use
//! it alike.

mod estimate;
mod journal;
mod lane;
mod plan;
mod progress;
mod read;
mod run;

pub use estimate::{Estimate, LaneEstimate};
pub use plan::{LanePlan, Plan, PlanLink, WrongLine};
pub use progress::{Bar, Lines, Progress, Report, Silent, State, StoppedLane};
pub use read::{read_file, read_lines, read_rows, Columns, Neurons};
pub use run::Importer;
