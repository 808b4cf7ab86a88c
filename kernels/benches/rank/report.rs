//! The report in Markdown and JSON.

use std::fmt::Write;

use cyber_kernels::Outcome;
use serde::{Deserialize, Serialize};

use crate::{memory, sweeps};

#[derive(Serialize, Deserialize)]
pub struct Report {
    pub threads: usize,
    pub sections: Vec<Section>,
}

#[derive(Serialize, Deserialize)]
pub struct Section {
    pub name: String,
    pub particles: u32,
    pub links: usize,
    /// From a list of links to weights, and the part of it that the engine spends on rows.
    pub load_ms: f64,
    pub build_ms: f64,
    pub cold_sweeps: u32,
    pub cold_ms: f64,
    pub bytes: usize,
    /// Most memory held while loading, the given list of links left out.
    pub peak_bytes: usize,
    pub sweeps: Vec<SweepRow>,
    pub deltas: Vec<DeltaRow>,
}

#[derive(Serialize, Deserialize)]
pub struct SweepRow {
    pub name: String,
    pub pairs: usize,
    /// Of every run, per sweep.
    pub seconds: Vec<f64>,
}

#[derive(Serialize, Deserialize, Default)]
pub struct DeltaRow {
    /// Of all links.
    pub part: String,
    pub new_links: usize,
    pub sweeps: Vec<u32>,
    pub full_sweeps: Vec<u32>,
    /// Weights and sweeps of the round in full.
    pub full_ms: Vec<f64>,
    pub ours_ms: Vec<f64>,
    /// Of ours: weights, sweeps, codes; rounds that put all links in order again.
    pub weights_ms: Vec<f64>,
    pub sweeps_ms: Vec<f64>,
    pub codes_ms: Vec<f64>,
    pub built: Vec<bool>,
}

impl DeltaRow {
    pub fn add(&mut self, full: &Outcome, ours: &Outcome) {
        let all = |outcome: &Outcome| {
            let timing = outcome.timing;
            (timing.weights + timing.sweeps + timing.codes).as_secs_f64() * 1e3
        };
        self.sweeps.push(ours.sweeps);
        self.full_sweeps.push(ours.timing.full_sweeps);
        self.full_ms.push(all(full));
        self.ours_ms.push(all(ours));
        self.weights_ms.push(ours.timing.weights.as_secs_f64() * 1e3);
        self.sweeps_ms.push(ours.timing.sweeps.as_secs_f64() * 1e3);
        self.codes_ms.push(ours.timing.codes.as_secs_f64() * 1e3);
        self.built.push(ours.timing.built);
    }

    /// How much faster ours is than the full round.
    pub fn ratio(&self) -> f64 {
        median(&self.full_ms) / median(&self.ours_ms)
    }
}

fn sorted(figures: &[f64]) -> Vec<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn median(figures: &[f64]) -> f64 {
    sorted(figures)[figures.len() / 2]
}

fn least(figures: &[f64]) -> f64 {
    sorted(figures)[0]
}

fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("benches")
}

impl Report {
    /// The report as it is, or an empty one.
    pub fn read(threads: usize) -> Report {
        let text = std::fs::read_to_string(folder().join("report.json")).unwrap_or_default();
        let kept = serde_json::from_str(&text).map_or(Vec::new(), |report: Report| report.sections);
        Report { threads, sections: kept }
    }

    /// Puts a section where it belongs, in place of an older one of its name.
    pub fn put(&mut self, section: Section) {
        self.sections.retain(|other| other.name != section.name);
        self.sections.push(section);
        self.sections.sort_by_key(|section| section.links / 100_000);
    }

    /// Writes both files.
    pub fn write(&self) {
        let folder = folder();
        let json = serde_json::to_string_pretty(self).expect("a report is JSON");
        std::fs::write(folder.join("report.json"), json + "\n").expect("the report is written");
        std::fs::write(folder.join("report.md"), self.markdown()).expect("the report is written");
    }

    pub fn markdown(&self) -> String {
        let mut text = String::from(HEAD);
        self.write_to(&mut text).expect("a string takes what is written");
        text + NOTES
    }

    fn write_to(&self, text: &mut String) -> std::fmt::Result {
        let memory = memory::total() >> 30;
        writeln!(text, "Machine: {}, {} cores, {memory} GiB, ", machine(), self.threads)?;
        writeln!(text, "a virtual machine in a cloud.\n")?;
        writeln!(
            text,
            "## Targets\n\n| graph | what | target | measured | |\n|---|---|---|---|---|"
        )?;
        for section in &self.sections {
            for (what, target, ratio, met) in section.targets() {
                let met = if met { "met" } else { "**missed**" };
                writeln!(text, "| {} | {what} | {target} | {ratio} | {met} |", section.name)?;
            }
        }
        writeln!(
            text,
            "| all | GPU: sweeps, rounds, peak memory | rank.md part 4 | unmeasured | |\n"
        )?;
        for section in &self.sections {
            section.write_to(text)?;
        }
        Ok(())
    }
}

const HEAD: &str = "\
# Rank: sweeps and rounds

Made by `cargo bench -p cyber-kernels --bench rank -- S M L` (what is not named stays as it was).
Ratios are of medians within one graph and run, variants in turns; other figures do not compare.
The targets are meant for size L and two threads.

";

/// Written by hand: why a target is missed and what it would take.
const NOTES: &str = include_str!("notes.md");

/// What is measured, its target, the figure, and whether it is met.
type Target = (String, &'static str, String, bool);

impl Section {
    /// Median seconds of a sweep; `None` for what was not measured.
    fn seconds(&self, name: &str) -> Option<f64> {
        self.sweeps.iter().find(|row| row.name == name).map(|row| median(&row.seconds))
    }

    fn targets(&self) -> Vec<Target> {
        let ours = self.seconds(sweeps::OURS).unwrap_or(f64::NAN);
        let ratio = |name: &'static str, what: &str, target: &'static str, least: f64| {
            let ratio = self.seconds(name)? / ours;
            Some((
                format!("full sweep against {what}"),
                target,
                format!("{ratio:.2}"),
                ratio >= least,
            ))
        };
        let mut targets: Vec<Target> = [
            ratio(sweeps::GAP, "GAP f32, unweighted", "≥ 1.0", 1.0),
            ratio(sweeps::GAP_RELABELLED, "the same, relabelled", "≥ 1.0", 1.0),
            ratio(sweeps::LAYOUT, "go-cyber's layout", "≥ 2.5", 2.5),
            ratio(sweeps::GATHER, "the gather roof", "≥ 0.8", 0.8),
            ratio(sweeps::ALONE, "one thread", "≥ 1.8", 1.8),
        ]
        .into_iter()
        .flatten()
        .collect();
        for (part, target, least) in
            [("10^-5", "≥ 10", 10.0), ("10^-4", "≥ 3", 3.0), ("10^-2", "≥ 0.91", 1.0 / 1.1)]
        {
            if let Some(row) = self.deltas.iter().find(|row| row.part == part) {
                let ratio = row.ratio();
                let what = format!("round with {part} new against a full one");
                targets.push((what, target, format!("{ratio:.2}"), ratio >= least));
            }
        }
        let memory = self.bytes as f64 / self.budget() as f64;
        let what = "memory of 28 B per link and 40 B per particle".into();
        targets.push((what, "≤ 1", format!("{memory:.2}"), memory <= 1.0));
        let load = self.load_ms / 1e3 * 1e7 / self.links as f64;
        targets.push(("loading 10^7 links".into(), "≤ 3 s", format!("{load:.2} s"), load <= 3.0));
        targets
    }

    fn budget(&self) -> usize {
        28 * self.links + 40 * self.particles as usize
    }

    fn write_to(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "## {}\n", self.name)?;
        writeln!(text, "{} particles, {} links. ", self.particles, self.links)?;
        writeln!(
            text,
            "Load {:.0} ms (rows and weights {:.0}), cold round of {} sweeps {:.0} ms. ",
            self.load_ms, self.build_ms, self.cold_sweeps, self.cold_ms
        )?;
        writeln!(
            text,
            "Memory {:.1} MB, {:.0} % of 28 B per link and 40 B per particle; ",
            self.bytes as f64 / 1e6,
            100.0 * self.bytes as f64 / self.budget() as f64,
        )?;
        writeln!(text, "{:.1} MB at most while loading.\n", self.peak_bytes as f64 / 1e6)?;
        writeln!(text, "| full sweep | ours is … as fast | 10^6 pairs/s, median | best |")?;
        writeln!(text, "|---|---|---|---|")?;
        let ours = median(&self.sweeps[0].seconds);
        for row in &self.sweeps {
            let rate = |seconds: f64| row.pairs as f64 / seconds / 1e6;
            let seconds = median(&row.seconds);
            let best = rate(least(&row.seconds));
            let (ratio, rate) = (seconds / ours, rate(seconds));
            writeln!(text, "| {} | {ratio:.2} | {rate:.1} | {best:.1} |", row.name)?;
        }
        let columns = "full round, ms | ours, ms | weights | sweeps | codes | sweeps (full)";
        let names = format!("new links | delta is … as fast as full | {columns} | put in order");
        writeln!(text, "\n| {names} |")?;
        writeln!(text, "|---|---|---|---|---|---|---|---|---|")?;
        for row in &self.deltas {
            let (full, ours) = (median(&row.full_ms), median(&row.ours_ms));
            writeln!(
                text,
                "| {} ({}) | {:.2} | {full:.2} | {ours:.2} | {:.2} | {:.2} | {:.2} | \
                 {} ({}) | {} |",
                row.new_links,
                row.part,
                row.ratio(),
                median(&row.weights_ms),
                median(&row.sweeps_ms),
                median(&row.codes_ms),
                row.sweeps[row.sweeps.len() / 2],
                row.full_sweeps[row.full_sweeps.len() / 2],
                row.built.iter().filter(|&&built| built).count(),
            )?;
        }
        writeln!(text)
    }
}

/// The processor's name, as far as the system tells.
fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or("unknown processor".into(), |(_, name)| name.trim().into())
}
