//! The report in Markdown and JSON.

use std::fmt::Write;

use cyber_kernels::Outcome;
use serde::Serialize;

#[derive(Serialize)]
pub struct Report {
    pub threads: usize,
    pub sections: Vec<Section>,
}

#[derive(Serialize)]
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
    pub sweeps: Vec<SweepRow>,
    pub deltas: Vec<DeltaRow>,
}

#[derive(Serialize)]
pub struct SweepRow {
    pub name: &'static str,
    pub pairs: usize,
    /// Of every run, per sweep.
    pub seconds: Vec<f64>,
}

#[derive(Serialize, Default)]
pub struct DeltaRow {
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

impl Report {
    /// Writes both files.
    pub fn write(&self) {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
        let json = serde_json::to_string_pretty(self).expect("a report is JSON");
        std::fs::write(folder.join("report.json"), json + "\n").expect("the report is written");
        std::fs::write(folder.join("report.md"), self.markdown()).expect("the report is written");
    }

    pub fn markdown(&self) -> String {
        let mut text = String::from("# Rank: sweeps and rounds\n\n");
        text += "Made by `cargo bench -p cyber-kernels`. Ratios are of medians within one run; ";
        text += "figures of other runs do not compare.\n";
        self.write_to(&mut text).expect("a string takes what is written");
        text
    }

    fn write_to(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "Machine: {}, {} threads.\n", machine(), self.threads)?;
        for section in &self.sections {
            section.write_to(text)?;
        }
        Ok(())
    }
}

impl Section {
    fn write_to(&self, text: &mut String) -> std::fmt::Result {
        let budget = 28 * self.links + 40 * self.particles as usize;
        writeln!(text, "## {}\n", self.name)?;
        writeln!(text, "{} particles, {} links. ", self.particles, self.links)?;
        writeln!(
            text,
            "Load {:.0} ms (rows and weights {:.0}), cold round of {} sweeps {:.0} ms. ",
            self.load_ms, self.build_ms, self.cold_sweeps, self.cold_ms
        )?;
        writeln!(
            text,
            "Memory {:.1} MB, {:.0} % of 28 B per link and 40 B per particle.\n",
            self.bytes as f64 / 1e6,
            100.0 * self.bytes as f64 / budget as f64
        )?;
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
                "| {} | {:.2} | {full:.2} | {ours:.2} | {:.2} | {:.2} | {:.2} | {} ({}) | {} |",
                row.new_links,
                full / ours,
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
