//! Reading an import file: lines become links, wrong lines are named and passed over.
//!
//! A line is `from TAB to`, or `neuron TAB from TAB to`; in a file that ends in `.csv` commas
//! separate and double quotes enclose. A file that begins as gzip is unpacked. Neurons are names
//! or addresses of keys; ends are texts or CIDs.

use super::plan::{Plan, PlanBuilder};
use crate::client::failure::Failure;
use crate::client::keys::{KeyError, KeyInfo, KeyStore};
use crate::types::{sha256, Address};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Unpacked, a file may have this many bytes: it is held in memory.
const LARGEST_BYTES: u64 = 4 << 30;

/// How the columns of a line are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    Tabs,
    Commas,
}

/// Whose links they are.
pub struct Neurons<'a> {
    pub keys: &'a KeyStore,
    pub prefix: &'a str,
    /// For lines that name no neuron.
    pub default: Option<KeyInfo>,
}

/// Reads a file into a plan; `-` is standard input.
pub fn read_file(path: &Path, neurons: &Neurons) -> Result<Plan, Failure> {
    let (bytes, columns, source) = read_bytes(path)?;
    read_lines(&bytes, columns, neurons, source)
}

/// The cells of every line of a file that is not empty, with the number of the line; `-` is
/// standard input.
///
/// # Errors
/// The first line that has another number of columns, or cannot be read.
pub fn read_rows(
    path: &Path,
    wanted: std::ops::RangeInclusive<usize>,
) -> Result<Vec<(u64, Vec<String>)>, Failure> {
    let (bytes, columns, _) = read_bytes(path)?;
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let wrong =
            |reason: String| Failure::local(format!("{} line {number}: {reason}", path.display()));
        let cells = cells(line, columns).map_err(wrong)?;
        if !wanted.contains(&cells.len()) {
            let (count, least, most) = (cells.len(), wanted.start(), wanted.end());
            let right =
                if least == most { format!("{most}") } else { format!("{least} or {most}") };
            return Err(wrong(format!("{count} column(s), {right} are right")));
        }
        rows.push((number, cells.into_iter().map(Cow::into_owned).collect()));
    }
    Ok(rows)
}

/// A file unpacked, how its columns are told apart, and the hash of it as it is.
fn read_bytes(path: &Path) -> Result<(Vec<u8>, Columns, [u8; 32]), Failure> {
    let failure = |error: std::io::Error| Failure::local(format!("{}: {error}", path.display()));
    let mut packed = Vec::new();
    match path.as_os_str() == "-" {
        true => std::io::stdin().lock().read_to_end(&mut packed).map_err(failure)?,
        false => std::fs::File::open(path)
            .and_then(|mut file| file.read_to_end(&mut packed))
            .map_err(failure)?,
    };
    let source = sha256(&packed);
    let bytes = unpack(packed).map_err(failure)?;
    let name = path.to_string_lossy().to_lowercase();
    let columns = match name.trim_end_matches(".gz").ends_with(".csv") {
        true => Columns::Commas,
        false => Columns::Tabs,
    };
    Ok((bytes, columns, source))
}

/// Reads lines into a plan. `source` names the file's content, for the journal.
pub fn read_lines(
    bytes: &[u8],
    columns: Columns,
    neurons: &Neurons,
    source: [u8; 32],
) -> Result<Plan, Failure> {
    let mut plan = PlanBuilder::new(source);
    let mut known = BTreeMap::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let outcome = read_line(line, columns).and_then(|row| {
            let neuron = neurons.find(row.neuron.as_deref(), &mut known)?;
            plan.add(neuron, &row.from, &row.to)
        });
        if let Err(reason) = outcome {
            plan.wrong(number, reason);
        }
    }
    Ok(plan.finish(neurons.prefix))
}

/// One line, not looked into yet.
#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    neuron: Option<Cow<'a, str>>,
    from: Cow<'a, str>,
    to: Cow<'a, str>,
}

fn cells(line: &[u8], columns: Columns) -> Result<Vec<Cow<'_, str>>, String> {
    let text = std::str::from_utf8(line)
        .map_err(|error| format!("not UTF-8 from byte {} on", error.valid_up_to() + 1))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match columns {
        Columns::Tabs => Ok(text.split('\t').map(Cow::Borrowed).collect()),
        Columns::Commas => split_commas(text),
    }
}

fn read_line(line: &[u8], columns: Columns) -> Result<Row<'_>, String> {
    let mut cells = cells(line, columns)?;
    match cells.len() {
        2 | 3 => {
            let to = cells.pop().expect("two or three cells");
            let from = cells.pop().expect("two or three cells");
            Ok(Row { neuron: cells.pop(), from, to })
        }
        count => {
            Err(format!("{count} column(s); two (from, to) or three (neuron, from, to) are right"))
        }
    }
}

/// RFC 4180 within one line: quoted cells, a doubled quote for one.
fn split_commas(text: &str) -> Result<Vec<Cow<'_, str>>, String> {
    let mut cells = Vec::new();
    let mut rest = text;
    loop {
        if let Some(inner) = rest.strip_prefix('"') {
            let (cell, after) = quoted(inner).ok_or("a quote is not closed")?;
            cells.push(Cow::Owned(cell));
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None if after.is_empty() => return Ok(cells),
                None => return Err("something stands after a closing quote".to_owned()),
            }
            continue;
        }
        match rest.split_once(',') {
            Some((cell, next)) => {
                cells.push(Cow::Borrowed(cell));
                rest = next;
            }
            None => {
                cells.push(Cow::Borrowed(rest));
                return Ok(cells);
            }
        }
    }
}

/// The cell up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut cell = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        cell.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                cell.push('"');
                rest = next;
            }
            None => return Some((cell, after)),
        }
    }
}

impl Neurons<'_> {
    /// The key of a line's neuron. `known` remembers answers, so that a file is looked up once.
    fn find(
        &self,
        name: Option<&str>,
        known: &mut BTreeMap<String, Result<KeyInfo, String>>,
    ) -> Result<KeyInfo, String> {
        let Some(name) = name.map(str::trim) else {
            return self
                .default
                .clone()
                .ok_or_else(|| "no neuron in the line and none given with --from".to_owned());
        };
        if let Some(answer) = known.get(name) {
            return answer.clone();
        }
        let answer = self.look_up(name);
        known.insert(name.to_owned(), answer.clone());
        answer
    }

    fn look_up(&self, name: &str) -> Result<KeyInfo, String> {
        if let Ok(address) = Address::parse(name, self.prefix) {
            let found = self.keys.by_address(&address).map_err(|error| error.to_string())?;
            return found.ok_or_else(|| format!("no key here for the neuron {name}"));
        }
        match self.keys.show(name) {
            Ok(info) => Ok(info),
            Err(KeyError::Missing { .. } | KeyError::Name(_)) => {
                Err(format!("'{name}' is neither a key of this home nor the address of one"))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Unpacks gzip, told by its first two bytes.
fn unpack(bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    let packed = flate2::read::MultiGzDecoder::new(bytes.as_slice());
    packed.take(LARGEST_BYTES + 1).read_to_end(&mut plain)?;
    match plain.len() as u64 > LARGEST_BYTES {
        true => Err(std::io::Error::other(format!("more than {LARGEST_BYTES} bytes unpacked"))),
        false => Ok(plain),
    }
}

#[cfg(test)]
mod tests;
