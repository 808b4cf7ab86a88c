//! Sending and waiting against a mock node: every way it can end.

use super::*;
use crate::client::keys::Secret;
use crate::client::mock::MockNode;
use crate::types::cid::particle_of_bytes;
use crate::types::{Amount, Coin};
use cyber_proto::cosmos::base::abci::v1beta1::TxMsgData;
use prost::Message;

struct Home {
    folder: tempfile::TempDir,
    key: SigningKey,
}

impl Home {
    fn new() -> Home {
        let secret = Secret::of_bytes(&[7; 32]).expect("secret");
        Home {
            folder: tempfile::tempdir().expect("folder"),
            key: SigningKey::of_secret("test", secret),
        }
    }

    fn address(&self) -> String {
        self.key.address().to_bech32("bostrom")
    }

    async fn send(&self, client: &Client, draft: &Draft) -> Result<Sent, Failure> {
        let sender =
            Sender { client, home: Some(self.folder.path()), prefix: "bostrom", key: &self.key };
        sender.send(draft, &mut |_| {}).await
    }

    fn pay(&self, amount: u128) -> Draft {
        Draft::send(&self.address(), &self.address(), &Coin::new("boot", Amount(amount)))
    }

    fn link(&self, from: &str, to: &str) -> Draft {
        let link = (particle_of_bytes(from.as_bytes()), particle_of_bytes(to.as_bytes()));
        Draft::link(&self.address(), &[link], false)
    }
}

#[test]
fn the_wanted_sequence_is_read_from_the_refusal() {
    let refused = |space: &str, code, log: &str| Broadcast::Refused {
        space: space.to_owned(),
        code,
        log: log.to_owned(),
    };
    let log = "account sequence mismatch, expected 12, got 9: incorrect account sequence";
    assert_eq!(expected_sequence(&refused("sdk", 32, log)), Some(12));
    assert_eq!(expected_sequence(&refused("sdk", 4, log)), None);
    assert_eq!(expected_sequence(&refused("graph", 32, log)), None);
    assert_eq!(expected_sequence(&refused("sdk", 32, "expected ")), None);
    assert_eq!(expected_sequence(&Broadcast::Accepted), None);
}

#[tokio::test]
async fn several_transactions_in_a_row_work_before_the_first_is_in_a_block() {
    let (node, home) = (MockNode::start().await, Home::new());
    node.chain().fund(&home.address(), 1_000_000);
    let client = node.client();
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(home.send(&client, &home.pay(1)).await.expect("sent"));
    }
    let sequences: Vec<u64> = all.iter().map(|sent| sent.signed.sequence).collect();
    assert_eq!(sequences, [0, 1, 2]);
    node.chain().block();
    for sent in &all {
        assert_eq!(sent.wait(&client).await.expect("included").height, 2);
    }
}

#[tokio::test]
async fn a_stale_note_of_the_sequence_costs_one_more_try_and_nothing_else() {
    let (node, home) = (MockNode::start().await, Home::new());
    node.chain().fund(&home.address(), 1_000_000);
    let client = node.client();
    home.send(&client, &home.pay(1)).await.expect("sent");
    node.chain().forget();
    let sent = home.send(&client, &home.pay(2)).await.expect("sent again");
    assert_eq!(sent.signed.sequence, 0);
}

#[tokio::test]
async fn what_is_refused_at_the_door_is_not_in_any_block() {
    let (node, home) = (MockNode::start().await, Home::new());
    let client = node.client();
    let unknown = home.send(&client, &home.pay(1)).await.map(|_| ()).expect_err("no account");
    assert_eq!((unknown.exit, unknown.code.as_str()), (Exit::Refused, "sdk/9"));
    node.chain().fund(&home.address(), 999);
    let refused = home.send(&client, &home.link("a", "b")).await.map(|_| ()).expect_err("poor");
    assert_eq!((refused.exit, refused.code.as_str()), (Exit::Refused, "bandwidth/2"));
    assert!(refused.retryable && refused.hint.is_some());
}

#[tokio::test]
async fn what_fails_in_its_block_says_so_with_hash_and_code() {
    let (node, home) = (MockNode::start().await, Home::new());
    node.chain().fund(&home.address(), 1_000_000);
    let client = node.client();
    let sent = home.send(&client, &home.pay(5_000)).await.expect("sent");
    node.chain().block();
    let failure = sent.wait(&client).await.expect_err("too much");
    assert_eq!((failure.exit, failure.code.as_str()), (Exit::Failed, "sdk/5"));
    assert_eq!(failure.tx_hash, Some(sent.signed.hash_text()));
    assert!(failure.message.contains("in block 2"), "{failure}");
}

#[tokio::test]
async fn without_an_index_the_blocks_are_looked_through() {
    let (node, home) = (MockNode::start().await, Home::new());
    node.chain().fund(&home.address(), 1_000_000);
    node.chain().indexed = false;
    let client = node.client();
    let sent = home.send(&client, &home.link("a", "b")).await.expect("sent");
    node.chain().stalled = true;
    node.chain().block();
    node.chain().stalled = false;
    node.chain().block();
    let included = sent.wait(&client).await.expect("included");
    assert_eq!((included.height, included.code), (3, 0));
    let data = TxMsgData::decode(included.data.as_slice()).expect("data");
    assert_eq!(data.msg_responses[0].type_url, "/cyber.graph.v1beta1.MsgCyberlinkResponse");
}

#[tokio::test]
async fn a_transaction_no_block_took_in_time_is_said_to_be_without_effect() {
    let (node, home) = (MockNode::start().await, Home::new());
    node.chain().fund(&home.address(), 1_000_000);
    let client = node.client();
    let sent = home.send(&client, &home.link("a", "b")).await.expect("sent");
    node.chain().stalled = true;
    // One more than its life: only then the mempool lets go of it.
    for _ in 0..=LIFETIME_BLOCKS {
        node.chain().block();
    }
    let failure = sent.wait(&client).await.expect_err("expired");
    assert_eq!((failure.exit, failure.code.as_str()), (Exit::Refused, "sdk/30"));
    assert!(failure.retryable && failure.tx_hash.is_some());
    // The next one starts from the committed sequence.
    node.chain().stalled = false;
    let sent = home.send(&client, &home.link("a", "b")).await.expect("sent anew");
    assert_eq!(sent.signed.sequence, 0);
}

#[tokio::test]
async fn a_node_that_falls_silent_leaves_the_outcome_unknown_with_the_hash() {
    let (node, home) = (MockNode::start().await, Home::new());
    node.chain().fund(&home.address(), 1_000_000);
    let client = node.client();
    let sent = home.send(&client, &home.link("a", "b")).await.expect("sent");
    node.chain().down = true;
    let patience = Duration::from_millis(300);
    let failure = sent.wait_as_long_as(&client, patience).await.expect_err("silence");
    assert_eq!(failure.exit, Exit::Unknown);
    assert_eq!(failure.tx_hash, Some(sent.signed.hash_text()));
    assert!(failure.hint.is_some_and(|hint| hint.contains("cyberd query tx")));
}
