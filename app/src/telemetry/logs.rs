//! The log: lines to standard error, as text for people or JSON for machines.

use std::io::IsTerminal;
use std::str::FromStr;
use tracing_subscriber::EnvFilter;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        match text {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            _ => Err("text or json".to_owned()),
        }
    }
}

/// A filter such as `info` or `info,cyberd::store=debug`. Libraries that print whole requests
/// stay silent whatever it says.
pub fn filter(level: &str) -> Result<EnvFilter, String> {
    let quiet = ["tendermint_abci=off", "sled=warn", "hyper=warn", "reqwest=warn"];
    let given = EnvFilter::builder().parse(level);
    let given =
        given.map_err(|e| format!("a level such as info or info,cyberd::abci=debug: {e}"))?;
    let add = |filter: EnvFilter, directive: &str| {
        filter.add_directive(directive.parse().expect("written above"))
    };
    Ok(quiet.into_iter().fold(given, add))
}

/// Begins to log. Once a process; a second call is refused and changes nothing.
pub fn install(format: Format, level: &str) -> Result<(), String> {
    let lines = tracing_subscriber::fmt().with_env_filter(filter(level)?);
    // Colours for a terminal only: files and pipes are read by other programs.
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = lines.with_writer(std::io::stderr).with_ansi(colours);
    match format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_checked() {
        assert!(filter("info").is_ok());
        assert!(filter("warn,cyberd::store=debug").is_ok());
        assert!(filter("cyberd=loud").is_err());
        assert!("yaml".parse::<Format>().is_err());
    }
}
