//! What is answered without CometBFT, and what is said when it is not there. Against a real one:
//! `app/tests/e2e_remote.rs`.

use super::*;
use crate::query::tests::World;
use cyber_proto::cosmos::base::node::v1beta1::ConfigResponse;
use cyber_proto::cosmos::tx::v1beta1::{BroadcastMode, BroadcastTxRequest, GetTxRequest};
use cyber_proto::tendermint::abci::{Event, EventAttribute};

fn remote() -> Remote {
    // Bound and closed again: nothing listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let address = format!("http://{}", listener.local_addr().expect("address"));
    drop(listener);
    let prices = vec![GasPrice {
        amount: crate::types::Decimal::parse("0.01").expect("decimal"),
        denom: "boot".into(),
    }];
    Remote::new(&address, Arc::new(World::new().queries), prices).expect("address")
}

async fn refused(remote: &Remote, path: &str, request: &impl Message) -> (u32, String) {
    let answer = remote.call(path, &request.encode_to_vec(), 0).await.expect("a path of ours");
    answer.expect_err("refused").status()
}

#[tokio::test]
async fn paths_of_the_application_are_none_of_these() {
    let remote = remote();
    for path in ["", "/", "/cosmos.bank.v1beta1.Query/Balance", "/cosmos.tx.v1beta1.Service/Nope"] {
        assert!(remote.call(path, &[], 0).await.is_none(), "{path}");
    }
    let path = "/cosmos.tx.v1beta1.Service/GetTx";
    let garbage = remote.call(path, &[0xff], 0).await.expect("ours").expect_err("no request");
    assert_eq!(garbage.status().0, 3);
}

#[tokio::test]
async fn without_cometbft_callers_hear_that_it_is_not_there() {
    let remote = remote();
    let request = GetTxRequest { hash: "ab".repeat(32) };
    let (code, text) = refused(&remote, "/cosmos.tx.v1beta1.Service/GetTx", &request).await;
    assert_eq!(code, 14, "{text}");
    assert!(text.contains("127.0.0.1"), "{text}");
    let request = GetTxRequest { hash: "ab".into() };
    let (code, _) = refused(&remote, "/cosmos.tx.v1beta1.Service/GetTx", &request).await;
    assert_eq!(code, 3);
    let path = "/cosmos.base.node.v1beta1.Service/Config";
    let config = remote.call(path, &[], 0).await.expect("ours").expect("needs nobody");
    let config = ConfigResponse::decode(config.as_slice()).expect("config");
    assert_eq!(config.minimum_gas_price, "0.010000000000000000boot");
}

#[tokio::test]
async fn broadcasts_that_wait_for_a_block_are_refused_in_the_words_of_the_sdk() {
    let remote = remote();
    let path = "/cosmos.tx.v1beta1.Service/BroadcastTx";
    #[allow(deprecated, reason = "clients send it")]
    let modes = [(BroadcastMode::Block, "block"), (BroadcastMode::Unspecified, "unspecified")];
    for (mode, name) in modes {
        let request = BroadcastTxRequest { tx_bytes: vec![1], mode: mode.into() };
        let text = format!("unsupported return type {name}; supported types: sync, async");
        assert_eq!(refused(&remote, path, &request).await, (2, text));
    }
    let empty = refused(&remote, path, &BroadcastTxRequest::default()).await;
    assert_eq!(empty, (3, "invalid empty tx".into()));
}

#[test]
fn logs_begin_with_each_message_and_leave_the_door_out() {
    let event = |kind: &str, attributes: &[(&str, &str)]| Event {
        r#type: kind.into(),
        attributes: attributes
            .iter()
            .map(|(key, value)| EventAttribute {
                key: (*key).into(),
                value: (*value).into(),
                index: true,
            })
            .collect(),
    };
    let events = [
        event("tx", &[("fee", "")]),
        event("message", &[("action", "/a"), ("sender", "n"), ("msg_index", "0")]),
        event("transfer", &[("amount", "1boot")]),
        event("message", &[("action", "/b"), ("msg_index", "1")]),
    ];
    let logs = response::logs(&events);
    let shape: Vec<_> = logs.iter().map(|log| (log.msg_index, log.events.len())).collect();
    assert_eq!(shape, [(0, 2), (1, 1)]);
    assert_eq!(logs[0].events[0].attributes.len(), 2, "without msg_index");
}
