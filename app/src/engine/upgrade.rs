//! Versions of the rules, and how a chain goes from one to the next at a height.
//!
//! The version a chain follows is in its state: the `app_version` of the consensus parameters,
//! which is in every header too. [`VERSIONS`] is what this program knows: one row a version, with
//! what it changes in the state when it begins. Rules that differ ask the state for its version, so
//! a program follows the old rules up to the height and the new ones from it on.
//!
//! What is planned is in the state as well (`params`, [`Plan`]): a name and a height, from the
//! genesis file (`app_state.chain.upgrade`), and later from governance, when it exists. At the
//! beginning of the planned height a program that knows the name migrates the state and removes
//! the plan; one that does not stops with [`Fault::Upgrade`], having changed nothing: the next
//! program executes the same block. Neither a setting nor a file of a node has a say in it, so all
//! nodes stop at the same height.
//!
//! Deliberately absent: going back, and leaving a version out.

use crate::error::Fault;
use crate::modules::params;
use crate::state::{Event, Overlay, Read, Write};
use crate::types::Height;

/// A version of the rules.
pub struct Version {
    /// The `app_version` of chains that follow it.
    pub number: u64,
    /// What plans call it: lower case.
    pub name: &'static str,
    /// Makes a state of the version before one of this version. Never for the first.
    pub migrate: fn(&mut Overlay<'_>),
}

/// What this program knows, oldest first, numbers without gaps.
pub const VERSIONS: &[Version] = &[
    Version { number: 1, name: "v1", migrate: |_| {} },
    #[cfg(feature = "next-version")]
    Version { number: 2, name: "v2", migrate: next::migrate },
];

/// The newest version there is: what a new chain begins with.
pub const NEWEST: u64 = VERSIONS[VERSIONS.len() - 1].number;

/// Whether this program knows the rules of a version.
pub fn is_known(number: u64) -> bool {
    VERSIONS.iter().any(|known| known.number == number)
}

/// The numbers of the versions that this program knows, for messages.
pub fn known() -> String {
    match VERSIONS[0].number {
        NEWEST => NEWEST.to_string(),
        oldest => format!("{oldest} to {NEWEST}"),
    }
}

/// An upgrade to come.
#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Of the version: 1 to 64 of `a-z 0-9 . _ -`.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The first block under its rules.
    #[prost(uint64, tag = "2")]
    pub height: u64,
    /// For operators and their tools; up to 4096 bytes.
    #[prost(string, tag = "3")]
    #[serde(default)]
    pub info: String,
}

impl Plan {
    /// What is wrong with it, for a chain that begins at a height.
    pub fn check(&self, initial: Height) -> Result<(), String> {
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        let Plan { name, height, info } = self;
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            return Err(format!("name '{name}': 1 to 64 of a-z, 0-9, '.', '_' and '-' are right"));
        }
        if *height <= initial.0 {
            return Err(format!("height {height}: one above the first, {initial}, is right"));
        }
        if info.len() > 4096 {
            return Err(format!("info has {} bytes, at most 4096 are right", info.len()));
        }
        Ok(())
    }
}

/// The version a state follows.
pub fn version_of(state: &dyn Read) -> u64 {
    params::state::consensus(state).app_version
}

/// Refuses a state of a version that this program does not know.
pub fn check_known(state: &dyn Read) -> Result<(), Fault> {
    let version = version_of(state);
    match is_known(version) {
        true => Ok(()),
        false => Err(Fault::Upgrade(format!(
            "the chain follows version {version} of the rules, this program knows {}: start the \
             program of that version",
            known()
        ))),
    }
}

/// Begins a block: at the planned height the next version begins, or the node stops. True if a
/// version began. `known` is what the program knows: [`VERSIONS`] outside of tests.
pub fn begin_block(
    overlay: &mut Overlay<'_>,
    height: Height,
    known: &[Version],
) -> Result<bool, Fault> {
    let Some(plan) = params::state::plan(overlay).filter(|plan| plan.height == height.0) else {
        return Ok(false);
    };
    let mut consensus = params::state::consensus(overlay);
    let next = known.iter().find(|version| version.name == plan.name);
    let Some(next) = next.filter(|next| Some(next.number) == consensus.app_version.checked_add(1))
    else {
        return Err(Fault::Upgrade(halt_text(&plan)));
    };
    (next.migrate)(overlay);
    consensus.app_version = next.number;
    params::state::set_consensus(overlay, &consensus);
    params::state::set_plan(overlay, None);
    let event = Event::new("upgrade").with("name", next.name).with("version", next.number);
    overlay.emit(event.with("height", height));
    Ok(true)
}

fn halt_text(plan: &Plan) -> String {
    let info = match plan.info.as_str() {
        "" => String::new(),
        info => format!(" ({info})"),
    };
    format!(
        "UPGRADE \"{}\" NEEDED at height {}{info}: this version, {}, does not have it; start the \
         one that does on the same home, nothing else is to be done",
        plan.name,
        plan.height,
        env!("CARGO_PKG_VERSION")
    )
}

/// The version after the present one, as the rehearsal builds it (`tests/e2e_upgrade.rs`): what a
/// migration looks like.
#[cfg(feature = "next-version")]
mod next {
    use super::{Overlay, Write};
    use crate::modules::bandwidth;

    /// Links that are passed over cost twice as much.
    pub fn migrate(overlay: &mut Overlay<'_>) {
        let mut params = bandwidth::state::params(overlay);
        params.skip_cost = params.skip_cost.saturating_mul(2);
        let state: &mut dyn Write = overlay;
        bandwidth::state::set_params(state, &params);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{Chain, ChainOptions};

    fn planned(name: &str, height: u64) -> Chain {
        let info = "see the notes".to_owned();
        let plan = Plan { name: name.to_owned(), height, info };
        Chain::with(ChainOptions::default(), |state| state.chain.upgrade = Some(plan))
    }

    #[test]
    fn versions_have_no_gaps_and_names_of_their_own() {
        for (index, version) in VERSIONS.iter().enumerate() {
            assert_eq!(version.number, index as u64 + 1);
            assert!(VERSIONS[..index].iter().all(|other| other.name != version.name));
            let plan = Plan { name: version.name.into(), height: 2, info: String::new() };
            assert_eq!(plan.check(Height(1)), Ok(()));
        }
    }

    #[test]
    fn a_plan_that_cannot_be_is_refused() {
        let plan = |name: &str, height, info: usize| {
            let plan = Plan { name: name.into(), height, info: "x".repeat(info) };
            plan.check(Height(5)).is_ok()
        };
        assert!(plan("v2.1-rc_3", 6, 4096));
        assert!(!plan("V2", 6, 0) && !plan("", 6, 0) && !plan(&"v".repeat(65), 6, 0));
        assert!(!plan("v2", 5, 0) && !plan("v2", 6, 4097));
    }

    #[test]
    fn an_unknown_version_stops_the_chain_at_its_height_and_changes_nothing() {
        let mut chain = planned("v99", 4);
        chain.run_to(Height(3));
        let hash = chain.engine().info().app_hash;
        for _ in 0..2 {
            let fault = chain.try_block(Vec::new()).expect_err("it is not known");
            let text = fault.to_string();
            assert!(matches!(fault, Fault::Upgrade(_)), "{text}");
            assert!(text.contains("\"v99\" NEEDED at height 4 (see the notes)"), "{text}");
            let info = chain.engine().info();
            assert_eq!((info.height, info.app_hash), (Height(3), hash.clone()));
            chain.restart(None);
        }
    }

    #[test]
    fn a_known_version_begins_at_its_height_and_its_plan_is_gone() {
        let chain = planned("v99", 4);
        let base = chain.engine().base().expect("a genesis");
        let known = [
            Version { number: 1, name: "v1", migrate: |_| {} },
            Version {
                number: 2,
                name: "v99",
                migrate: |overlay| {
                    let mut chain = params::state::chain(overlay);
                    chain.stake_denom = "coin".into();
                    params::state::set_chain(overlay, &chain);
                },
            },
        ];
        let mut overlay = Overlay::new(base.as_ref());
        assert!(!begin_block(&mut overlay, Height(3), &known).expect("not yet"));
        assert!(begin_block(&mut overlay, Height(4), &known).expect("known"));
        assert_eq!(version_of(&overlay), 2);
        assert_eq!(params::state::plan(&overlay), None);
        assert_eq!(params::state::chain(&overlay).stake_denom, "coin");
        assert_eq!(overlay.take_events()[0].kind, "upgrade");
        assert!(!begin_block(&mut overlay, Height(4), &known).expect("done"));
        // A version may not be left out.
        let mut overlay = Overlay::new(base.as_ref());
        let gap = [Version { number: 3, name: "v99", migrate: |_| {} }];
        assert!(matches!(begin_block(&mut overlay, Height(4), &gap), Err(Fault::Upgrade(_))));
    }

    #[test]
    fn a_state_of_a_later_version_is_not_opened() {
        let chain = planned("v99", 4);
        let base = chain.engine().base().expect("a genesis");
        assert!(check_known(base.as_ref()).is_ok());
        let mut overlay = Overlay::new(base.as_ref());
        let mut consensus = params::state::consensus(&overlay);
        consensus.app_version = NEWEST + 1;
        params::state::set_consensus(&mut overlay, &consensus);
        let text = check_known(&overlay).expect_err("later").to_string();
        assert!(text.contains(&format!("version {}", NEWEST + 1)), "{text}");
    }
}
