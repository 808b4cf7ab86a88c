//! Pages, as `cosmos.base.query.v1beta1` asks for them: by key or by offset, forward or reverse.
//!
//! A page has at most the node's `rows_max` rows, whatever was asked for; `next_key` tells that
//! there is more. Deliberately absent: the pages of Cyber's rank queries, which are numbers of
//! pages (`modules/rank/query.rs`).

use super::{Context, QueryError};
use crate::search::Late;
use crate::state::{prefix_end, Read, StoreName};
use crate::types::LinkNumber;
use cyber_proto::cosmos::base::query::v1beta1::{PageRequest, PageResponse};

/// Rows when the request names no limit; then the total is told too.
const ROWS_DEFAULT: u64 = 100;

/// Why there is no page. Handlers differ in the status they give to a wrong request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageError {
    Request(&'static str),
    Late(Late),
}

impl PageError {
    /// The error a handler answers with.
    pub fn or(self, wrong: impl FnOnce(&'static str) -> QueryError) -> QueryError {
        match self {
            PageError::Request(text) => wrong(text),
            PageError::Late(late) => late.into(),
        }
    }
}

impl From<Late> for PageError {
    fn from(late: Late) -> PageError {
        PageError::Late(late)
    }
}

/// A request with its defaults filled in.
#[derive(Clone, Debug)]
struct Wanted {
    key: Vec<u8>,
    offset: u64,
    limit: u64,
    count_total: bool,
    reverse: bool,
}

impl Wanted {
    fn read(request: Option<&PageRequest>, rows_max: usize) -> Result<Wanted, PageError> {
        let PageRequest { key, offset, limit, count_total, reverse } =
            request.cloned().unwrap_or_default();
        if offset > 0 && !key.is_empty() {
            let text = "invalid request, either offset or key is expected, got both";
            return Err(PageError::Request(text));
        }
        let (limit, count_total) = match limit {
            0 => (ROWS_DEFAULT, true),
            limit => (limit, count_total),
        };
        let count_total = count_total && key.is_empty();
        Ok(Wanted { key, offset, limit: limit.min(rows_max as u64), count_total, reverse })
    }
}

/// A key without the prefix, and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// A page of the keys with a prefix, without it.
pub fn rows(
    context: &Context<'_>,
    (store, prefix): (StoreName, &[u8]),
    request: Option<&PageRequest>,
) -> Result<(Vec<Row>, PageResponse), PageError> {
    let wanted = Wanted::read(request, context.limits.rows_max)?;
    let range = Range { context, store, prefix };
    let (mut rows, total) = match wanted.reverse {
        false => range.forward(&wanted)?,
        true => range.reverse(&wanted)?,
    };
    let next = match rows.len() as u64 > wanted.limit {
        true => rows.pop().map(|(key, _)| key),
        false => None,
    };
    let total = if wanted.count_total { total } else { 0 };
    Ok((rows, PageResponse { next_key: next.unwrap_or_default(), total }))
}

/// The keys with a prefix.
struct Range<'a> {
    context: &'a Context<'a>,
    store: StoreName,
    prefix: &'a [u8],
}

impl Range<'_> {
    /// The rows of the page and one more if there is one, and how many keys were seen.
    fn forward(&self, wanted: &Wanted) -> Result<(Vec<Row>, u64), PageError> {
        let from = [self.prefix, &wanted.key].concat();
        let last = wanted.offset.saturating_add(wanted.limit);
        let (mut rows, mut seen) = (Vec::new(), 0);
        self.scan(&from, prefix_end(self.prefix), |key, value| {
            if (wanted.offset..=last).contains(&seen) {
                rows.push((key.to_vec(), value.to_vec()));
            }
            seen += 1;
            seen <= last || wanted.count_total
        })?;
        Ok((rows, seen))
    }

    /// The same from the other end. Trees are walked upwards only, so the keys are counted first.
    fn reverse(&self, wanted: &Wanted) -> Result<(Vec<Row>, u64), PageError> {
        let end = match wanted.key.is_empty() {
            true => prefix_end(self.prefix),
            // With the key itself.
            false => Some([self.prefix, &wanted.key, &[0]].concat()),
        };
        let mut count = 0;
        self.scan(self.prefix, end.clone(), |_, _| {
            count += 1;
            true
        })?;
        let until = u64::saturating_sub(count, wanted.offset);
        let from = until.saturating_sub(wanted.limit.saturating_add(1));
        let (mut rows, mut seen) = (Vec::new(), 0);
        self.scan(self.prefix, end, |key, value| {
            if (from..until).contains(&seen) {
                rows.push((key.to_vec(), value.to_vec()));
            }
            seen += 1;
            seen < until
        })?;
        rows.reverse();
        Ok((rows, count))
    }

    /// Visits keys from one on, without the prefix, until the visitor returns false or time is
    /// over.
    fn scan(
        &self,
        from: &[u8],
        end: Option<Vec<u8>>,
        mut visit: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Late> {
        let (mut step, mut late) = (0, Ok(()));
        self.context.snapshot.scan(self.store, from, end.as_deref(), &mut |key, value| {
            late = self.context.deadline.check_step(step);
            step += 1;
            late.is_ok() && visit(&key[self.prefix.len()..], value)
        });
        late
    }
}

/// A page of a list of links that is walked from the newest to the oldest. Keys are link numbers
/// of eight bytes, big endian; `walk` gives the list from a link of it on, none for a link that
/// is not in it.
pub fn links<Links: Iterator<Item = LinkNumber>>(
    context: &Context<'_>,
    request: Option<&PageRequest>,
    walk: impl Fn(Option<LinkNumber>) -> Option<Links>,
) -> Result<(Vec<LinkNumber>, PageResponse), PageError> {
    let wanted = Wanted::read(request, context.limits.rows_max)?;
    if wanted.reverse {
        return Err(PageError::Request("links are listed newest first, reverse is not possible"));
    }
    let wrong = PageError::Request("the key is not that of a page of this list");
    let first = match wanted.key.as_slice() {
        [] => None,
        [0, 0, 0, 0, key @ ..] if key.len() == 4 => {
            Some(LinkNumber(key.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte))))
        }
        _ => return Err(wrong),
    };
    let Some(walk) = walk(first) else { return Err(wrong) };
    let end = wanted.offset.saturating_add(wanted.limit);
    let (mut rows, mut next_key, mut seen) = (Vec::new(), Vec::new(), 0u64);
    for (step, link) in walk.enumerate() {
        context.deadline.check_step(step)?;
        match seen {
            seen if seen < wanted.offset => (),
            seen if seen < end => rows.push(link),
            seen if seen == end => next_key = u64::from(link.0).to_be_bytes().to_vec(),
            _ => (),
        }
        if seen >= end && !wanted.count_total {
            break;
        }
        seen += 1;
    }
    let total = if wanted.count_total { seen } else { 0 };
    Ok((rows, PageResponse { next_key, total }))
}

/// A page of what is numbered from 0: the numbers. Keys are eight bytes, big endian.
pub fn numbers(
    context: &Context<'_>,
    total: u64,
    request: Option<&PageRequest>,
) -> Result<(Vec<u64>, PageResponse), PageError> {
    let wanted = Wanted::read(request, context.limits.rows_max)?;
    let key = match <[u8; 8]>::try_from(wanted.key.as_slice()) {
        Ok(key) => Some(u64::from_be_bytes(key)),
        Err(_) if wanted.key.is_empty() => None,
        Err(_) => return Err(PageError::Request("a key has 8 bytes here")),
    };
    // Places count from the end that the page begins at.
    let place = |number: u64| match wanted.reverse {
        false => number,
        true => total.saturating_sub(1).saturating_sub(number),
    };
    let start = key.map_or(wanted.offset, place).min(total);
    let end = start.saturating_add(wanted.limit).min(total);
    let next_key = match end < total {
        true => place(end).to_be_bytes().to_vec(),
        false => Vec::new(),
    };
    let total = if wanted.count_total { total } else { 0 };
    Ok(((start..end).map(place).collect(), PageResponse { next_key, total }))
}
