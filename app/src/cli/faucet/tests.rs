//! A faucet before the mock chain.

use super::*;
use crate::client::keys::Secret;
use crate::client::mock::MockNode;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const EVERY: Duration = Duration::from_secs(3_600);

fn key() -> SigningKey {
    SigningKey::of_secret("faucet", Secret::of_bytes(&[9; 32]).expect("a secret"))
}

fn address(byte: u8) -> String {
    crate::types::Address::new(&[byte; 20]).expect("twenty bytes").to_bech32("bostrom")
}

async fn faucet(node: &MockNode, give: &str, per_source: usize, behind_proxy: bool) -> Running {
    node.chain().fund(&key().address().to_bech32("bostrom"), 1_000);
    let setup = Setup {
        client: node.client(),
        gas_price: None,
        home: None,
        prefix: "bostrom".to_owned(),
        key: key(),
        coins: coins(&[give.to_owned()]).expect("coins"),
        limits: Limits::new(EVERY, per_source),
        behind_proxy,
    };
    start(SocketAddr::from(([127, 0, 0, 1], 0)), setup).await.expect("it listens")
}

/// Status, head and JSON body of an answer.
async fn ask(at: SocketAddr, line: &str, headers: &str, body: &str) -> (u16, String, Value) {
    let mut stream = tokio::net::TcpStream::connect(at).await.expect("it listens");
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\
         \r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_owned(), serde_json::from_str(body).unwrap_or(Value::Null))
}

async fn credit(at: SocketAddr, address: &str, denom: &str) -> (u16, Value) {
    let body = format!(r#"{{"address":"{address}","denom":"{denom}"}}"#);
    let (status, _, answer) = ask(at, "POST /credit", "", &body).await;
    (status, answer)
}

/// Until the chain was seen.
async fn ready(at: SocketAddr) -> Value {
    loop {
        let (status, _, answer) = ask(at, "GET /status", "", "").await;
        assert_eq!(status, 200);
        if answer["status"] == "ok" {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_at_once_are_all_given_in_few_transactions() {
    let node = MockNode::with_blocks(Duration::from_millis(50)).await;
    // The mock's accounts hold 1000boot each.
    let faucet = faucet(&node, "10boot", 100, false).await;
    let status = ready(faucet.address).await;
    assert_eq!(status["chainId"], "mock-1");
    assert_eq!(status["availableTokens"][0], "boot");
    let at = faucet.address;
    let asked =
        (1..=20).map(|byte| tokio::spawn(async move { credit(at, &address(byte), "boot").await }));
    for answer in futures::future::join_all(asked).await {
        let (status, answer) = answer.expect("a task");
        assert_eq!(status, 200, "{answer}");
        assert_eq!((&answer["status"], &answer["amount"]), (&"ok".into(), &"10boot".into()));
        assert!(answer["height"].as_u64() > Some(1), "{answer}");
    }
    let chain = node.chain();
    assert!(chain.taken < 10, "{} transactions for 20 requests", chain.taken);
    let holder = &chain.accounts[&key().address().to_bech32("bostrom")];
    assert_eq!(holder.sequence, chain.taken, "sequences follow one another");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_or_wrongly_is_told_so() {
    let node = MockNode::with_blocks(Duration::from_millis(20)).await;
    let faucet = faucet(&node, "100boot", 2, true).await;
    let at = faucet.address;
    ready(at).await;
    assert_eq!(credit(at, &address(1), "boot").await.0, 200);
    let body = format!(r#"{{"address":"{}"}}"#, address(1));
    let (status, head, answer) = ask(at, "POST /credit", "", &body).await;
    assert_eq!((status, &answer["error"]["code"]), (429, &"too-often".into()), "{answer}");
    assert!(head.contains("retry-after: 3600"), "{head}");
    assert_eq!(credit(at, &address(2), "boot").await.0, 200);
    let (status, answer) = credit(at, &address(3), "boot").await;
    assert!(status == 429 && answer.to_string().contains("127.0.0.1 asked 2 times"), "{answer}");
    // Another source, as the proxy says; what the client itself wrote before it does not count.
    let body = format!(r#"{{"address":"{}"}}"#, address(3));
    let headers = "x-forwarded-for: 1.1.1.1, 10.0.0.9\r\n";
    assert_eq!(ask(at, "POST /credit", headers, &body).await.0, 200);
    for (address, denom, status, text) in [
        ("cosmos1xyz".to_owned(), "boot", 400, "one that begins with bostrom1 is right"),
        (key().address().to_bech32("bostrom"), "boot", 400, "own address"),
        (address(4), "gold", 422, "there is boot"),
    ] {
        let (found, answer) = credit(at, &address, denom).await;
        assert!(found == status && answer.to_string().contains(text), "{found} {answer}");
    }
    assert_eq!(ask(at, "POST /credit", "", "{").await.0, 400);
    assert_eq!(ask(at, "POST /credit", "", &"x".repeat(5_000)).await.0, 413);
    assert_eq!(ask(at, "GET /credit", "", "").await.0, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_faucet_says_so_and_does_not_count_the_request() {
    let node = MockNode::with_blocks(Duration::from_millis(20)).await;
    // The mock's accounts hold 1000boot each.
    let faucet = faucet(&node, "1001boot", 10, false).await;
    ready(faucet.address).await;
    for _ in 0..2 {
        let (status, answer) = credit(faucet.address, &address(1), "boot").await;
        assert_eq!((status, &answer["error"]["code"]), (503, &"client/faucet-empty".into()));
        let text = answer.to_string();
        assert!(text.contains("holds 1000boot, 1001boot are asked for"), "{text}");
    }
    assert_eq!(node.chain().taken, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_the_chain() {
    let node = MockNode::with_blocks(Duration::from_millis(20)).await;
    node.chain().down = true;
    let faucet = faucet(&node, "100boot", 10, false).await;
    let (status, _, answer) = ask(faucet.address, "GET /status", "", "").await;
    assert_eq!((status, &answer["status"]), (200, &"waiting".into()));
    let (status, answer) = credit(faucet.address, &address(1), "boot").await;
    assert_eq!((status, &answer["error"]["code"]), (503, &"chain-not-ready".into()), "{answer}");
    node.chain().down = false;
    ready(faucet.address).await;
    assert_eq!(credit(faucet.address, &address(1), "boot").await.0, 200);
}

#[test]
fn coins_and_times_are_checked() {
    let given = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        coins(&texts)
    };
    assert_eq!(given(&["1boot,2coin"]).expect("two").len(), 2);
    assert!(given(&["0boot"]).is_err() && given(&["1boot", "2boot"]).is_err());
    assert!(given(&["boot"]).is_err());
    assert_eq!(duration("2h"), Ok(Duration::from_secs(7_200)));
    assert!(["", "h", "2", "2w", "-1h", "99999999999999999999d"]
        .iter()
        .all(|t| duration(t).is_err()));
}
