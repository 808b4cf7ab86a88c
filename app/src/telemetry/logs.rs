//! The log: lines to standard error, as text for people or JSON for machines.
//!
//! A line of JSON is an object with `timestamp` (RFC 3339), `level` (`ERROR` to `DEBUG`), `target`
//! (the module), `message`, and what it is about in fields of their own. Names and units of these
//! never change; other fields may come and go:
//!
//! | field | what it is |
//! |---|---|
//! | `height` | a block's height, a number |
//! | `app_hash` | upper-case hexadecimal, of that height |
//! | `txs`, `failed` | transactions of a block, those of them that did not do what they asked for |
//! | `round` | number of a rank round |
//! | `error`, `reason` | why, a text |
//! | `fault` | why the node or a device cannot go on, a text |
//! | `address` | where something listens |
//! | `path` | a file or folder; for queries what was asked |
//! | `bytes` | a size |
//! | `chain_id` | the name of the chain |
//! | `signal` | what ended the process |
//! | `method` | a call of ABCI |
//! | `device` | what computes the ranks |
//! | `cometbft`, `threads`, `pause_ms` | of the supervised pair: version, GOMAXPROCS, pause |
//!
//! `message` is `block` for each block and `round published` for each round.

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
    use crate::types::Height;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("kept").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_block_is_one_line_of_json_with_the_documented_fields() {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = tracing_subscriber::fmt().with_writer(move || writer.clone());
        tracing::subscriber::with_default(lines.json().flatten_event(true).finish(), || {
            crate::telemetry::block_committed(Height(7), &[0xAB; 2], 3, 1);
        });
        let text = String::from_utf8(kept.0.lock().expect("kept").clone()).expect("UTF-8");
        let mut line: serde_json::Value = serde_json::from_str(&text).expect("one line");
        let time = line.as_object_mut().and_then(|line| line.remove("timestamp"));
        assert!(time.is_some_and(|time| time.as_str().is_some_and(|time| time.contains('T'))));
        let expected = serde_json::json!({
            "level": "INFO", "target": "cyberd::telemetry", "message": "block",
            "height": 7, "app_hash": "ABAB", "txs": 3, "failed": 1,
        });
        assert_eq!(line, expected);
    }

    /// Every field of the table stands in a line of the log somewhere.
    #[test]
    fn the_fields_of_the_table_are_written() {
        let table = include_str!("logs.rs").lines().filter_map(|line| line.strip_prefix("//! | `"));
        let names: Vec<String> = table
            .flat_map(|row| {
                let names = row.split(" | ").next().unwrap_or_default().replace('`', "");
                names.split(", ").map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        assert!(names.len() > 15, "{names:?}");
        let mut written = String::new();
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("sources").flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
                for call in text.split("tracing::").skip(1) {
                    written.push_str(call.split(';').next().unwrap_or_default());
                    written.push('\n');
                }
            }
        }
        for name in names {
            let forms = [
                format!("({name},"),
                format!(" {name},"),
                format!("%{name},"),
                format!("{name} = "),
            ];
            assert!(forms.iter().any(|form| written.contains(form)), "no line has {name}");
        }
    }

    #[test]
    fn levels_are_checked() {
        assert!(filter("info").is_ok());
        assert!(filter("warn,cyberd::store=debug").is_ok());
        assert!(filter("cyberd=loud").is_err());
        assert!("yaml".parse::<Format>().is_err());
    }
}
