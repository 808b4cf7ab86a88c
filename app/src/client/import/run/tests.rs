//! Imports against a mock node: kills, lost mempools, too little bandwidth, other programs.

use super::*;
use crate::client::import::progress::Silent;
use crate::client::import::read::{read_lines, Columns, Neurons};
use crate::client::keys::{Backend, KeyError, Secret};
use crate::client::mock::{MockNode, LINK_UNITS};
use zeroize::Zeroizing;

const BLOCK: Duration = Duration::from_millis(20);

/// A home with two keys and a file of links of theirs.
struct Case {
    folder: tempfile::TempDir,
    keys: KeyStore,
    plan: Plan,
    neurons: [String; 2],
}

fn nobody(_: &str) -> Result<Zeroizing<String>, KeyError> {
    panic!("nothing asks")
}

impl Case {
    fn new(links_each: u32) -> Case {
        let folder = tempfile::tempdir().expect("folder");
        let keys = KeyStore::new(folder.path(), Some(Backend::Test));
        let neurons = [("alice", 1), ("bob", 2)].map(|(name, byte)| {
            let secret = Secret::of_bytes(&[byte; 32]).expect("secret");
            let info = keys.add(name, &secret, &mut nobody).expect("add");
            info.address().to_bech32("bostrom")
        });
        let mut text = String::new();
        for number in 0..links_each {
            text.push_str(&format!("alice\ta{number}\tx\nbob\tb{number}\tx\n"));
        }
        let columns = Columns::Tabs;
        let source = Neurons { keys: &keys, prefix: "bostrom", default: None };
        let plan = read_lines(text.as_bytes(), columns, &source, [0; 32]).expect("plan");
        Case { folder, keys, plan, neurons }
    }

    fn fund(&self, node: &MockNode, units: u64) {
        self.neurons.iter().for_each(|neuron| node.chain().fund(neuron, units));
    }

    async fn run(&self, client: &Client) -> Result<Report, Failure> {
        self.run_with(client, &mut Silent).await
    }

    async fn run_with(
        &self,
        client: &Client,
        progress: &mut dyn Progress,
    ) -> Result<Report, Failure> {
        let importer = Importer { client, keys: &self.keys, home: self.folder.path() };
        importer.run(&self.plan, &mut nobody, progress).await
    }

    fn sequences(&self, node: &MockNode) -> u64 {
        let chain = node.chain();
        self.neurons.iter().map(|neuron| chain.accounts[neuron].sequence).sum()
    }
}

/// Does something when the import is this far.
struct At<F: FnMut()> {
    links: u64,
    action: Option<F>,
    said: Vec<String>,
}

impl<F: FnMut()> Progress for At<F> {
    fn step(&mut self, state: &State) {
        if state.done >= self.links {
            if let Some(mut action) = self.action.take() {
                action();
            }
        }
    }

    fn say(&mut self, line: &str) {
        self.said.push(line.to_owned());
    }
}

#[tokio::test]
async fn everything_arrives_once_and_a_second_run_sends_nothing() {
    let (node, case) = (MockNode::with_blocks(BLOCK).await, Case::new(5_000));
    case.fund(&node, u64::MAX / 4);
    let client = node.client();
    let report = case.run(&client).await.expect("imported");
    assert_eq!((report.done, report.done_now, report.total), (10_000, 10_000, 10_000));
    assert!(report.stopped.is_empty());
    assert_eq!(node.chain().links.len(), 10_000);
    assert_eq!((report.transactions, case.sequences(&node)), (10, 10));
    let again = case.run(&client).await.expect("again");
    assert_eq!((again.done, again.done_now, case.sequences(&node)), (10_000, 0, 10));
    let content = ContentTable::open(case.folder.path()).expect("content");
    let particle = crate::types::cid::particle_of_text("a7").1;
    assert_eq!(content.text(&particle).as_deref(), Some("a7"));
}

#[tokio::test]
async fn a_killed_import_goes_on_where_it_stopped() {
    let (node, case) = (MockNode::with_blocks(BLOCK).await, Case::new(20_000));
    case.fund(&node, u64::MAX / 4);
    let client = node.client();
    let mut kills = 0;
    for links in [1, 1, 8_000, 20_000, 36_000] {
        let kill = tokio::sync::Notify::new();
        let action = Some(|| kill.notify_one());
        let mut progress = At { links, action, said: Vec::new() };
        // Dropping the future is what a kill leaves behind: nothing is cleaned up.
        tokio::select! {
            // On a slow machine the last step may go from the middle to the end at once.
            report = case.run_with(&client, &mut progress) => drop(report.expect("imported")),
            () = kill.notified() => kills += 1,
        }
    }
    assert!(kills >= 3, "{kills} kills");
    let report = case.run(&client).await.expect("imported");
    assert_eq!(report.done, 40_000);
    assert!(report.done_now <= 24_000, "{report:?}");
    assert_eq!(node.chain().links.len(), 40_000);
}

#[tokio::test]
async fn a_node_killed_in_between_is_waited_for_and_its_lost_mempool_sent_again() {
    let (node, case) = (MockNode::with_blocks(BLOCK).await, Case::new(20_000));
    case.fund(&node, u64::MAX / 4);
    let client = node.client();
    let kill = || {
        let mut chain = node.chain();
        chain.down = true;
        chain.forget();
    };
    let mut progress = At { links: 4_000, action: Some(kill), said: Vec::new() };
    let back = async {
        while !node.chain().down {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(100)).await;
        node.chain().down = false;
    };
    let (report, ()) = tokio::join!(case.run_with(&client, &mut progress), back);
    assert_eq!(report.expect("imported").done, 40_000);
    assert_eq!(node.chain().links.len(), 40_000);
    assert!(progress.said.iter().any(|line| line.contains("waiting for it")));
    assert!(progress.said.iter().any(|line| line.contains("the node is back")));
}

#[tokio::test]
async fn a_mempool_lost_without_notice_is_found_out() {
    let (node, case) = (MockNode::with_blocks(BLOCK).await, Case::new(3_000));
    case.fund(&node, u64::MAX / 4);
    node.chain().stalled = true;
    let client = node.client();
    let forget = async {
        while node.chain().waiting() < 6 {
            sleep(Duration::from_millis(2)).await;
        }
        let mut chain = node.chain();
        chain.forget();
        chain.stalled = false;
    };
    let (report, ()) = tokio::join!(case.run(&client), forget);
    assert_eq!(report.expect("imported").done, 6_000);
    assert_eq!(node.chain().links.len(), 6_000);
}

#[tokio::test]
async fn without_bandwidth_it_waits_and_says_when_it_goes_on() {
    let (node, case) = (MockNode::with_blocks(BLOCK).await, Case::new(4_000));
    // A tenth of the bandwidth comes back every block; a transaction takes two thirds of all.
    case.fund(&node, 1_500 * LINK_UNITS);
    let client = node.client();
    let mut progress = At { links: u64::MAX, action: None::<fn()>, said: Vec::new() };
    let report = case.run_with(&client, &mut progress).await.expect("imported");
    assert_eq!((report.done, report.stopped.len()), (8_000, 0));
    assert!(progress.said.iter().any(|line| line.contains("goes on at height")));
}

#[tokio::test]
async fn a_poor_neuron_sends_smaller_transactions() {
    let (node, case) = (MockNode::with_blocks(BLOCK).await, Case::new(1_000));
    case.fund(&node, 100 * LINK_UNITS);
    let client = node.client();
    let report = case.run(&client).await.expect("imported");
    assert_eq!((report.done, report.stopped.len()), (2_000, 0));
    assert!(report.transactions >= 20, "{}", report.transactions);
}

#[tokio::test]
async fn a_neuron_without_stake_stops_and_the_other_goes_on() {
    let (node, case) = (MockNode::with_blocks(BLOCK).await, Case::new(1_000));
    node.chain().fund(&case.neurons[0], 0);
    node.chain().fund(&case.neurons[1], u64::MAX / 4);
    let client = node.client();
    let report = case.run(&client).await.expect("one of them");
    assert_eq!((report.done, report.stopped.len()), (1_000, 1));
    let stopped = &report.stopped[0];
    assert_eq!((stopped.key.as_str(), stopped.links_left), ("alice", 1_000));
    assert_eq!(stopped.failure.code, "graph/8");
}

#[tokio::test]
async fn a_journal_of_a_chain_that_began_anew_is_not_believed() {
    let case = Case::new(1_000);
    let first = MockNode::with_blocks(BLOCK).await;
    case.fund(&first, u64::MAX / 4);
    case.run(&first.client()).await.expect("imported");
    let second = MockNode::with_blocks(BLOCK).await;
    case.fund(&second, u64::MAX / 4);
    let report = case.run(&second.client()).await.expect("imported again");
    assert_eq!((report.done_now, second.chain().links.len()), (2_000, 2_000));
}

#[tokio::test]
async fn another_program_with_the_same_key_does_no_harm() {
    let (node, case) = (MockNode::with_blocks(BLOCK).await, Case::new(10_000));
    case.fund(&node, u64::MAX / 4);
    let client = node.client();
    let elsewhere = tempfile::tempdir().expect("folder");
    let key = case.keys.open("alice", &mut nobody).expect("key");
    let stranger = async {
        let sender = crate::client::submit::Sender {
            client: &client,
            home: Some(elsewhere.path()),
            prefix: "bostrom",
            key: &key,
        };
        for _ in 0..10 {
            let coin = crate::types::Coin::new("boot", crate::types::Amount(1));
            let draft = Draft::send(&case.neurons[0], &case.neurons[0], &coin);
            let _ = sender.send(&draft, &mut |_| {}).await;
            sleep(Duration::from_millis(10)).await;
        }
    };
    let (report, ()) = tokio::join!(case.run(&client), stranger);
    assert_eq!(report.expect("imported").done, 20_000);
    assert_eq!(node.chain().links.len(), 20_000);
}
