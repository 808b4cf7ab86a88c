//! What an import did, section by section, and the totals before and after.

use serde_json::{json, Value};
use std::collections::BTreeMap;

/// What became of one section of the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SectionReport {
    pub name: String,
    /// As it was.
    pub took: Vec<String>,
    /// In another form, and why.
    pub changed: Vec<String>,
    /// Not at all, and why.
    pub left: Vec<String>,
}

impl SectionReport {
    pub fn new(name: &str) -> SectionReport {
        SectionReport { name: name.to_owned(), ..SectionReport::default() }
    }

    /// Something taken over as it was.
    pub fn took(&mut self, text: impl Into<String>) {
        self.took.push(text.into());
    }

    /// Something taken over in another form.
    pub fn changed(&mut self, text: impl Into<String>) {
        self.changed.push(text.into());
    }

    /// Something that stays behind.
    pub fn left(&mut self, text: impl Into<String>) {
        self.left.push(text.into());
    }

    fn is_empty(&self) -> bool {
        self.took.is_empty() && self.changed.is_empty() && self.left.is_empty()
    }
}

/// A sum on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    pub what: String,
    pub source: u128,
    pub ours: u128,
    /// Why they differ, if they do.
    pub reason: String,
}

/// The whole report.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub sections: Vec<SectionReport>,
    pub totals: Vec<Total>,
}

impl Report {
    /// Adds what there is to say of a section.
    pub fn add(&mut self, section: SectionReport) {
        if !section.is_empty() {
            self.sections.push(section);
        }
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let section = |section: &SectionReport| {
            json!({
                "section": section.name,
                "took": section.took,
                "changed": section.changed,
                "left": section.left,
            })
        };
        let total = |total: &Total| {
            json!({
                "what": total.what,
                "source": total.source.to_string(),
                "ours": total.ours.to_string(),
                "equal": total.source == total.ours,
                "reason": total.reason,
            })
        };
        json!({
            "sections": self.sections.iter().map(section).collect::<Vec<_>>(),
            "totals": self.totals.iter().map(total).collect::<Vec<_>>(),
        })
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut lines = Vec::new();
        for SectionReport { name, took, changed, left } in &self.sections {
            lines.push(name.clone());
            for (word, list) in [("took over", took), ("changed", changed), ("left", left)] {
                lines.extend(list.iter().map(|text| format!("  {word:<9}  {text}")));
            }
        }
        lines.push("totals".to_owned());
        for Total { what, source, ours, reason } in &self.totals {
            let verdict = match source == ours {
                true => "equal".to_owned(),
                false => format!("differ by {}: {reason}", source.abs_diff(*ours)),
            };
            lines.push(format!("  {what}: {source} there, {ours} here: {verdict}"));
        }
        lines.join("\n")
    }
}

/// Sums by a word, as "3 of this, 2 of that".
pub fn counted(counts: &BTreeMap<String, u64>) -> String {
    let text = |(what, count): (&String, &u64)| format!("{count} {what}");
    counts.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Coins for people: the first few denominations.
pub fn coins(sums: &BTreeMap<String, u128>) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> =
        sums.iter().take(SHOWN).map(|(denom, amount)| format!("{amount}{denom}")).collect();
    match sums.len() {
        0 => "nothing".to_owned(),
        count if count > SHOWN => {
            format!("{} and {} more denominations", shown.join(", "), count - SHOWN)
        }
        _ => shown.join(", "),
    }
}
