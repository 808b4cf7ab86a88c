//! `cyberd cid`: the particle of a text or of a file. Asks no node.

use super::output::Answer;
use super::words::Named;
use crate::client::Failure;
use crate::types::cid::particle_of_reader;
use serde_json::json;
use std::path::PathBuf;

/// Show the particle (CIDv0) of a text or a file
///
/// A text is brought to its canonical form first: Unicode NFC, white space around it removed.
/// A CID in another spelling is shown in the chain's own.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd cid dog
  cyberd cid --file photo.jpg
  cyberd cid --file -  < notes.txt")]
#[command(group(clap::ArgGroup::new("what").required(true)))]
pub struct Cid {
    /// A text, or a CID in any spelling
    #[arg(value_name = "TEXT", group = "what")]
    argument: Option<String>,
    /// The bytes of this file as they are; - is standard input
    #[arg(long, value_name = "FILE", group = "what")]
    file: Option<PathBuf>,
    /// Take it as a text even where it looks like a CID
    #[arg(long, conflicts_with = "file")]
    text: bool,
}

/// Runs `cyberd cid`.
pub fn run(cid: &Cid) -> Result<Answer, Failure> {
    if let Some(path) = &cid.file {
        let failure =
            |error: std::io::Error| Failure::local(format!("{}: {error}", path.display()));
        let particle = match path.as_os_str() == "-" {
            true => particle_of_reader(&mut std::io::stdin().lock()),
            false => std::fs::File::open(path).and_then(|mut file| particle_of_reader(&mut file)),
        };
        let particle = particle.map_err(failure)?.to_cid();
        return Ok(Answer::new(json!({"particle": particle, "file": path}), particle));
    }
    let named = Named::parse(cid.argument.as_deref().unwrap_or_default(), cid.text)?;
    let particle = named.particle.to_cid();
    Ok(Answer::new(json!({"particle": particle, "text": named.text}), particle))
}
