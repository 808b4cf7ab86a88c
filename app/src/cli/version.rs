//! `cyberd version` and `cyberd completions`.

use super::output::Answer;
use serde_json::json;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd completions bash > ~/.local/share/bash-completion/completions/cyberd
  cyberd completions zsh > ~/.zfunc/_cyberd
  cyberd completions fish > ~/.config/fish/completions/cyberd.fish")]
pub struct Completions {
    shell: clap_complete::Shell,
}

/// Runs `cyberd version`.
pub fn version() -> Answer {
    let number = env!("CARGO_PKG_VERSION");
    let cometbft = "0.38.25";
    let json = json!({"name": "cyberd", "version": number, "cometbft": cometbft});
    Answer::new(json, format!("cyberd {number} (for CometBFT {cometbft})"))
}

/// Runs `cyberd completions`.
pub fn completions(completions: &Completions, mut command: clap::Command) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut command, "cyberd", &mut script);
    let script = String::from_utf8_lossy(&script).trim_end().to_owned();
    Answer::new(json!({"shell": completions.shell.to_string(), "script": script}), script)
}
