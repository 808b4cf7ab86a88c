//! `cyberd pre-upgrade`: what Cosmovisor asks the new version before it starts it.
//!
//! It changes nothing: states are migrated in the block of the upgrade itself, alike on all nodes.

use super::context::Context;
use super::nodes;
use super::output::Answer;
use crate::client::{Exit, Failure};
use crate::engine::upgrade::VERSIONS;
use crate::node::halt;
use serde_json::json;

/// Say whether this version can go on after the upgrade that a node halted for
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd pre-upgrade
  cyberd pre-upgrade --home /var/lib/cyberd; echo $?
Exit codes, as Cosmovisor takes them: 0 it can, 1 no upgrade is due (HOME/data/upgrade-info.json is
missing), 30 it cannot: another version is needed, 31 not now: the node still runs, ask again.")]
pub struct PreUpgrade {}

/// Looks at what is due.
pub fn run(context: &Context) -> Result<Answer, Failure> {
    let home = nodes::absolute(&context.home)?;
    let refused = |text: String| Failure::new(Exit::UpgradeRefused, "upgrade-refused", text);
    let unread = |text| {
        refused(text).hint("remove the file and start the old version: it halts and writes it anew")
    };
    let Some(plan) = halt::read(&home).map_err(unread)? else {
        let path = halt::path(&home);
        return Err(Failure::local(format!("no upgrade is due: {} is missing", path.display())));
    };
    if !VERSIONS.iter().any(|version| version.name == plan.name) {
        let known: Vec<&str> = VERSIONS.iter().map(|version| version.name).collect();
        return Err(refused(format!(
            "upgrade {} at height {}: this program knows {}",
            plan.name,
            plan.height,
            known.join(", ")
        ))
        .hint("start the program of that version"));
    }
    if let Err(failure) = nodes::hold(&home) {
        let later = Failure::new(Exit::UpgradeLater, "upgrade-later", failure.message);
        return Err(later.retryable().hint("the old version still runs; stop it and ask again"));
    }
    let json = json!({ "name": plan.name, "height": plan.height, "ready": true });
    Ok(Answer::new(json, format!("ready for {} at height {}", plan.name, plan.height)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_are_those_that_cosmovisor_knows() {
        let home = tempfile::tempdir().expect("a folder");
        let answer = || {
            let home = home.path().as_os_str().to_owned();
            crate::cli::run(vec!["cyberd".into(), "--home".into(), home, "pre-upgrade".into()])
        };
        assert_eq!(answer(), Exit::Error, "nothing is due");
        std::fs::create_dir_all(home.path().join("data")).expect("a folder");
        let due = |name: &str| {
            let text = format!(r#"{{"name":"{name}","height":12,"info":""}}"#);
            std::fs::write(halt::path(home.path()), text).expect("written");
            answer()
        };
        assert_eq!(due("v99"), Exit::UpgradeRefused);
        assert_eq!(due("v1"), Exit::Done);
        let hold = nodes::hold(home.path()).expect("nobody has it");
        assert_eq!(due("v1"), Exit::UpgradeLater);
        drop(hold);
        assert_eq!(due("\"broken"), Exit::UpgradeRefused);
    }
}
