//! `cyberd import`: a file of links onto the chain, with a plan before and progress on the way.

use super::context::Context;
use super::deliver::WriteFlags;
use super::output::{grouped, table, Answer};
use crate::client::import::{
    read_file, Bar, Estimate, Importer, LaneEstimate, Lines, Neurons, Plan, Progress, Report,
    WrongLine,
};
use crate::client::{Exit, Failure};
use serde_json::{json, Value};
use std::io::IsTerminal;
use std::path::PathBuf;

/// Import a file of links: many at once, resumable, existing ones passed over
///
/// A line is FROM <tab> TO (with --from KEY) or NEURON <tab> FROM <tab> TO; .csv files have commas;
/// gzip is unpacked. Ends are texts or CIDs, neurons are names or addresses of keys of this home.
/// Wrong lines are named and passed over. Ended at any moment, the same command goes on where it
/// stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd import links.tsv --from alice --plan     show what would be sent
  cyberd import links.tsv --from alice
  cyberd import testnet/sample/links.tsv.gz
  zcat big.tsv.gz | cyberd import - --from alice --output json")]
pub struct Import {
    /// The file; - is standard input
    file: PathBuf,
    /// The key that signs lines without a neuron
    #[arg(long, value_name = "KEY")]
    from: Option<String>,
    /// Show what would be sent and what it would cost; send nothing
    #[arg(long, visible_alias = "dry-run")]
    plan: bool,
    /// Send nothing when a line is wrong
    #[arg(long)]
    strict: bool,
}

/// Runs `cyberd import`.
pub fn run(context: &Context, import: &Import) -> Result<Answer, Failure> {
    let keys = context.keys();
    let plan = read(context, import)?;
    for wrong in &plan.wrong {
        context.talk(&format!("line {}: {}", wrong.line, wrong.reason));
    }
    if import.strict && !plan.wrong.is_empty() {
        let text = format!("{} wrong line(s), nothing was sent", plan.wrong.len());
        return Err(Failure::new(Exit::Error, "wrong-lines", text));
    }
    if plan.total() == 0 {
        return Err(Failure::new(Exit::Error, "no-links", no_links(&plan)));
    }
    let client = context.client()?;
    if import.plan {
        let estimate = context.block_on(Estimate::make(&client, &context.home, &plan))?;
        return Ok(Answer::new(plan_json(&plan, &estimate), plan_text(&plan, &estimate)));
    }
    let importer = Importer { client: &client, keys: &keys, home: &context.home };
    let mut ask = context.password();
    let mut progress: Box<dyn Progress> = match std::io::stderr().is_terminal() {
        true => Box::new(Bar::new()),
        false => Box::new(Lines::new()),
    };
    let report = context.block_on(importer.run(&plan, &mut ask, progress.as_mut()))?;
    finish(&plan, &report)
}

fn read(context: &Context, import: &Import) -> Result<Plan, Failure> {
    let flags = WriteFlags { from: import.from.clone(), ..WriteFlags::default() };
    // Only a file without neurons needs a key of its own; then the missing one is the line's fault.
    let default = match &import.from {
        Some(_) => Some(flags.signer(context)?),
        None => flags.signer(context).ok(),
    };
    let keys = context.keys();
    read_file(&import.file, &Neurons { keys: &keys, prefix: context.prefix(), default })
}

fn no_links(plan: &Plan) -> String {
    match plan.wrong.first() {
        Some(wrong) => format!("no line can be imported; line {}: {}", wrong.line, wrong.reason),
        None => "the file holds no links".to_owned(),
    }
}

fn wrong_json(plan: &Plan) -> Value {
    let row = |one: &WrongLine| json!({"line": one.line, "reason": one.reason});
    plan.wrong.iter().map(row).collect()
}

fn plan_json(plan: &Plan, estimate: &Estimate) -> Value {
    let lane = |lane: &LaneEstimate| {
        json!({
            "key": lane.key,
            "neuron": lane.neuron,
            "links": lane.links,
            "done_before": lane.done,
            "existing": lane.existing,
            "messages": lane.messages,
            "transactions": lane.transactions,
            "bytes": lane.bytes,
            "cost": lane.cost,
            "bandwidth": {"remained": lane.remained, "max": lane.max},
            "blocks_to_wait": lane.blocks_to_wait,
        })
    };
    json!({
        "plan": true,
        "links": plan.total(),
        "particles": plan.particles(),
        "repeated": plan.repeated,
        "wrong_lines": wrong_json(plan),
        "height": estimate.height,
        "price": estimate.price,
        "neurons": estimate.lanes.iter().map(lane).collect::<Vec<_>>(),
    })
}

fn plan_text(plan: &Plan, estimate: &Estimate) -> String {
    let head = ["key", "links", "done", "existing", "messages", "transactions", "cost", "has"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows[0].push("waits".to_owned());
    for lane in &estimate.lanes {
        let waits = match lane.blocks_to_wait {
            0 => "no".to_owned(),
            u64::MAX => "for ever: it has no stake".to_owned(),
            blocks => format!("about {} blocks", grouped(blocks)),
        };
        rows.push(vec![
            lane.key.clone(),
            grouped(lane.links),
            grouped(lane.done),
            grouped(lane.existing),
            grouped(lane.messages),
            grouped(lane.transactions),
            grouped(lane.cost),
            format!("{} of {}", grouped(lane.remained), grouped(lane.max)),
            waits,
        ]);
    }
    let text = format!(
        "{} links between {} particles at price {}, {} repeated, {} wrong line(s)\n{}",
        grouped(plan.total()),
        grouped(plan.particles()),
        estimate.price,
        grouped(plan.repeated),
        plan.wrong.len(),
        table(&rows)
    );
    format!("{text}\nnothing was sent")
}

fn finish(plan: &Plan, report: &Report) -> Result<Answer, Failure> {
    if let Some(first) = report.stopped.first() {
        let others = match report.stopped.len() {
            1 => String::new(),
            count => format!(" (and {} more neurons stopped)", count - 1),
        };
        let text = format!(
            "{} of {} links are on the chain; {} stopped with {} left: {}{others}",
            grouped(report.done),
            grouped(report.total),
            first.key,
            grouped(first.links_left),
            first.failure.message
        );
        return Err(Failure { message: text, ..first.failure.clone() });
    }
    let seconds = report.elapsed.as_secs();
    let pace = report.done_now.saturating_mul(1000) / (report.elapsed.as_millis().max(1) as u64);
    let json = json!({
        "links": report.total,
        "done": report.done,
        "done_now": report.done_now,
        "transactions": report.transactions,
        "repeated": plan.repeated,
        "wrong_lines": wrong_json(plan),
        "seconds": seconds,
        "links_per_second": pace,
        "height": report.height,
    });
    let mut text = format!(
        "{} links are on the chain at height {}",
        grouped(report.done),
        grouped(report.height)
    );
    text.push_str(&match report.done_now {
        0 => "; all of them were there before".to_owned(),
        now => format!(
            ": {} in this run, {} transactions, {seconds} s, {} links/s",
            grouped(now),
            grouped(report.transactions),
            grouped(pace)
        ),
    });
    if !plan.wrong.is_empty() {
        text.push_str(&format!("\n{} wrong line(s) were passed over", plan.wrong.len()));
    }
    Ok(Answer::new(json, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::import::StoppedLane;

    #[test]
    fn a_neuron_that_stopped_makes_the_import_a_failure_with_its_code() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("none.tsv");
        std::fs::write(&file, "").expect("write");
        let keys = crate::client::KeyStore::new(folder.path(), None);
        let neurons = Neurons { keys: &keys, prefix: "bostrom", default: None };
        let plan = read_file(&file, &neurons).expect("empty plan");
        let failure = Failure::of_chain(Exit::Refused, "graph", 8, "neuron has zero power");
        let stopped = StoppedLane {
            key: "alice".to_owned(),
            neuron: "bostrom1".to_owned(),
            links_left: 1_000,
            failure,
        };
        let report =
            Report { done: 2_000, total: 3_000, stopped: vec![stopped], ..Report::default() };
        let failure = finish(&plan, &report).expect_err("stopped");
        assert_eq!((failure.exit, failure.code.as_str()), (Exit::Refused, "graph/8"));
        assert!(failure.message.contains("2,000 of 3,000"), "{failure}");
        assert!(finish(&plan, &Report::default()).is_ok());
    }
}
