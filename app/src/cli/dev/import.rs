//! The sample graph, or a file of the user's, onto a development chain: as signed transactions,
//! like anybody's; then the first answers.

use super::session::Session;
use super::settings::{DevSettings, Links};
use super::show::Live;
use crate::cli::output::grouped;
use crate::cli::words::Words;
use crate::client::import::{
    read_file, read_lines, Columns, Importer, Lines, Neurons, Plan, Progress, Report, State,
};
use crate::client::keys::{Backend, KeyInfo, KeyStore};
use crate::client::queries::{RankList, RankPage};
use crate::client::Failure;
use crate::types::cid::particle_of_text;
use crate::types::sha256;
use std::io::Read;
use std::time::Duration;
use zeroize::Zeroizing;

/// WordNet's relations; `testnet/sample` tells how it is made, and under which licence.
const SAMPLE: &[u8] = include_bytes!("../../../../testnet/sample/links.tsv.gz");
/// What the sample is asked for when it is there.
const SAMPLE_QUESTION: &str = "dog";
const ALREADY: &str = "the links are on this chain already";
/// Wrong lines that are shown; the others are counted.
const WRONG_SHOWN: usize = 10;
const LOOK: Duration = Duration::from_millis(200);

impl Session<'_> {
    /// Imports the chain's links, unless they are there already, and shows the first answers: the
    /// ten highest particles and one search.
    ///
    /// # Errors
    /// When the file cannot be read or the node is gone.
    pub async fn import(&self) -> Result<(), Failure> {
        let settings = &self.chain.settings;
        let sample = Some(SAMPLE_QUESTION.to_owned()).filter(|_| settings.links == Links::Sample);
        if self.flags.no_import || settings.links == Links::None {
            return self.first_answers(sample).await;
        }
        if settings.imported {
            self.live.say(ALREADY);
            return self.first_answers(sample).await;
        }
        self.live.set("reading the links …".to_owned());
        let plan = self.plan()?;
        self.tell_wrong(&plan);
        let report = self.run_import(&plan).await?;
        self.tell_report(&report);
        if report.done == report.total {
            DevSettings { imported: true, ..settings.clone() }.save(&self.chain.home)?;
        }
        self.first_answers(sample.or_else(|| first_text(&plan))).await
    }

    fn keys(&self) -> KeyStore {
        KeyStore::new(&self.chain.home, Some(Backend::Test))
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let keys = self.keys();
        let first = keys.show(&self.chain.accounts[0].name)?;
        let neurons = Neurons { keys: &keys, prefix: super::show::PREFIX, default: Some(first) };
        if let Links::File(path) = &self.chain.settings.links {
            return read_file(path, &neurons);
        }
        read_sample(&keys, neurons.default)
    }

    fn tell_wrong(&self, plan: &Plan) {
        for wrong in plan.wrong.iter().take(WRONG_SHOWN) {
            self.live.say(&format!("line {}: {}", wrong.line, wrong.reason));
        }
        if plan.wrong.len() > WRONG_SHOWN {
            let more = plan.wrong.len() - WRONG_SHOWN;
            self.live.say(&format!("and {more} more lines that cannot be imported"));
        }
    }

    async fn run_import(&self, plan: &Plan) -> Result<Report, Failure> {
        let keys = self.keys();
        let importer = Importer { client: &self.client, keys: &keys, home: &self.chain.home };
        // The plain store asks for no password.
        let mut ask = |_: &str| Ok(Zeroizing::default());
        let mut progress: Box<dyn Progress + '_> = match self.live.is_hidden() {
            true => Box::new(Lines::new()),
            false => Box::new(OnLive(&self.live)),
        };
        importer.run(plan, &mut ask, progress.as_mut()).await
    }

    fn tell_report(&self, report: &Report) {
        if report.done == report.total && report.done_now == 0 {
            return self.live.say(ALREADY);
        }
        self.live.say(&format!(
            "{} of {} links are on the chain after {:.1} s, in {} transactions",
            grouped(report.done),
            grouped(report.total),
            report.elapsed.as_secs_f32(),
            grouped(report.transactions)
        ));
        for lane in &report.stopped {
            let (key, left) = (&lane.key, grouped(lane.links_left));
            self.live.say(&format!("{key} could not go on, {left} links left: {}", lane.failure));
        }
    }

    /// Waits for the round that covers all links there are now, then asks it.
    async fn first_answers(&self, question: Option<String>) -> Result<(), Failure> {
        let links = self.client.graph_stats().await?.cyberlinks;
        if links == 0 {
            return Ok(());
        }
        let round = loop {
            match self.client.rounds(1).await?.into_iter().next() {
                Some(round) if round.links >= links => break round,
                _ => self.live.set(format!("waiting for the round of {} links …", grouped(links))),
            }
            tokio::time::sleep(LOOK).await;
        };
        self.live.say(&format!(
            "round {} ranks {} particles by {} links, published at height {}, {:.1} s after the \
             start",
            round.round,
            grouped(round.particles),
            grouped(round.links),
            grouped(round.height_published),
            self.started.elapsed().as_secs_f32()
        ));
        let words = Words::open(self.context)?;
        let ten = RankPage { page: 0, per_page: 10 };
        let top = self.client.ranked(RankList::Top, ten).await?;
        self.live.say(&format!("\nHighest ranks\n{}", words.ranked_text(&top, 1)));
        if let Some(question) = question {
            let (text, particle) = particle_of_text(&question);
            let found = self.client.ranked(RankList::Search(particle), ten).await?;
            self.live.say(&format!("\ncyberd search {text}\n{}", words.ranked_text(&found, 1)));
        }
        Ok(())
    }
}

/// The sample graph as links of the keys of its names.
pub(super) fn read_sample(keys: &KeyStore, default: Option<KeyInfo>) -> Result<Plan, Failure> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(SAMPLE)
        .read_to_end(&mut bytes)
        .expect("the sample is sound gzip: a test reads it");
    let neurons = Neurons { keys, prefix: super::show::PREFIX, default };
    read_lines(&bytes, Columns::Tabs, &neurons, sha256(SAMPLE))
}

/// The text that the first link leads from.
fn first_text(plan: &Plan) -> Option<String> {
    let lane = plan.lanes.first()?;
    let link = lane.links.first()?;
    plan.texts(*link).0.map(str::to_owned)
}

/// The import's progress on the live line.
struct OnLive<'a>(&'a Live);

impl Progress for OnLive<'_> {
    fn step(&mut self, state: &State) {
        self.0.progress(state.done, state.total, state.words());
    }

    fn say(&mut self, line: &str) {
        self.0.say(line);
    }

    fn end(&mut self) {
        self.0.set(String::new());
    }
}
