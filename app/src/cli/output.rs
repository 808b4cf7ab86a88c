//! Showing answers and failures: answers and JSON to standard output, talk to standard error.

use crate::client::{Exit, Failure};
use serde_json::Value;
use std::io::Write;

/// How answers and failures are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one value on standard output, errors included.
    Json,
}

/// What a command found out, in both forms.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub json: Value,
    /// Without the last line break; empty: nothing is printed.
    pub text: String,
    /// How the process ends: an answer may be bad news.
    pub exit: Exit,
}

impl Answer {
    pub fn new(json: Value, text: impl Into<String>) -> Answer {
        Answer { json, text: text.into(), exit: Exit::Done }
    }
}

/// Prints an answer.
pub fn show(format: Format, answer: &Answer) {
    match format {
        Format::Json => print(&pretty(&answer.json)),
        Format::Text if answer.text.is_empty() => {}
        Format::Text => print(&answer.text),
    }
}

/// An answer as a file keeps it.
pub fn written(format: Format, answer: &Answer) -> String {
    match format {
        Format::Json => pretty(&answer.json) + "\n",
        Format::Text => format!("{}\n", answer.text),
    }
}

/// Prints a failure.
pub fn show_failure(format: Format, failure: &Failure) {
    match format {
        Format::Json => {
            let hint = hint(failure).map(str::to_owned);
            print(&pretty(&Failure { hint, ..failure.clone() }.to_json()));
        }
        Format::Text => eprintln!("{}", failure_text(failure)),
    }
}

/// A failure for people.
pub fn failure_text(failure: &Failure) -> String {
    let mut text = format!("error: {} [{}]", failure.message, failure.code);
    if let Some(hash) = &failure.tx_hash {
        text.push_str(&format!("\ntransaction: {hash}"));
    }
    if let Some(hint) = hint(failure) {
        text.push_str(&format!("\nhint: {hint}"));
    }
    text
}

/// What a user can do. A full disk may end anything, also CometBFT, which says it in small letters.
fn hint(failure: &Failure) -> Option<&str> {
    let is_full = failure.message.to_lowercase().contains("no space left on device");
    let free = "the disk is full: free some space and do the same again; what was acknowledged is \
                kept";
    failure.hint.as_deref().or(is_full.then_some(free))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value can be written")
}

/// A reader that went away (`| head`) is no error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Rows in columns, as wide as their widest cell; the last column is left as it is.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let wide = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(wide).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if at + 1 < row.len() {
                line.push_str(&" ".repeat(widths[at] - cell.chars().count() + 2));
            }
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_with_what_to_do_whoever_met_it() {
        for text in ["a/b: No space left on device (os error 28)", "panic: no space left on device"]
        {
            let text = failure_text(&Failure::local(text));
            assert!(text.contains("\nhint: the disk is full: free some space"), "{text}");
        }
        let own = Failure::local("No space left on device").hint("another");
        assert!(failure_text(&own).ends_with("hint: another"));
    }

    #[test]
    fn a_failure_for_people_names_code_transaction_and_advice() {
        let failure = Failure::of_chain(Exit::Failed, "sdk", 5, "spendable balance 1boot …")
            .of_transaction("AB");
        let text = failure_text(&failure);
        assert_eq!(
            text,
            "error: spendable balance 1boot … [sdk/5]\ntransaction: AB\n\
             hint: see what the account holds: cyberd query balances ADDRESS"
        );
        assert_eq!(failure_text(&Failure::local("no")), "error: no [client/local]");
    }

    #[test]
    fn columns_stand_under_each_other() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(table(&[row(["dög", "1"]), row(["a", "23"])]), "dög  1\na    23");
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn thousands_stand_apart() {
        let shown: Vec<String> = [0, 999, 1000, 1234567].map(grouped).to_vec();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
