//! REST over real sockets: the answers gateways give, to good requests and to bad ones.

use super::{write, Tables};
use crate::query::served::{Served, BODY_BYTES_MAX};
use crate::query::tests::cid;
use prost::Message;
use serde_json::{json, Value};

#[test]
fn answers_have_the_form_that_clients_know() {
    let served = Served::new();
    let height = served.chain.snapshot().height().0.to_string();
    let alice = served.chain.wallet("alice").bech32();

    let got = served.get(&format!("/cosmos/auth/v1beta1/accounts/{alice}"));
    assert_eq!((got.status, got.header("content-type")), (200, Some("application/json")));
    for name in ["grpc-metadata-x-cosmos-block-height", "x-cosmos-block-height"] {
        assert_eq!(got.header(name), Some(&*height), "{}", got.head);
    }
    let account = &got.json()["account"];
    assert_eq!(account["@type"], "/cosmos.auth.v1beta1.BaseAccount");
    assert_eq!((&account["address"], &account["sequence"]), (&json!(alice), &json!("2")));
    assert_eq!(account["pub_key"]["@type"], "/cosmos.crypto.secp256k1.PubKey");

    let got = served.get(&format!("/cosmos/bank/v1beta1/balances/{alice}?pagination.limit=1000"));
    let balance = &got.json()["balances"][0];
    assert!(balance["amount"].is_string(), "{balance}");
    assert_eq!(got.json()["pagination"], json!({ "next_key": null, "total": "0" }));
    let got = served.get(&format!("/cosmos/bank/v1beta1/balances/{alice}"));
    assert_eq!(got.json()["pagination"]["total"], "1");
    for path in ["by_denom?denom=boot", "boot"] {
        let got = served.get(&format!("/cosmos/bank/v1beta1/supply/{path}"));
        assert_eq!(got.json()["amount"]["denom"], "boot", "{path}");
    }

    let got = served.get("/cyber/rank/v1beta1/rank/params");
    assert_eq!(got.json()["params"]["damping_factor"], "0.850000000000000000");
    assert_eq!(got.json()["params"]["tolerance"], "0.000000000000000000");
    assert!(got.json()["params"]["calculation_period"].is_string());
    assert!(got.json()["params"]["sweeps_max"].is_number());
    let found = served.get(&format!(
        "/cyber/rank/v1beta1/rank/search/{}?pagination.page=0&pagination.perPage=1&unknown=1",
        cid(1)
    ));
    assert_eq!(found.json()["result"].as_array().map(Vec::len), Some(1), "{}", found.json());
    assert_eq!(found.json()["pagination"], json!({ "total": 2 }));
    let link = format!("from={}&to={}", cid(1), cid(2));
    let got = served.get(&format!("/cyber/rank/v1beta1/is_any_link_exist?{link}"));
    assert_eq!(got.json(), json!({ "exist": true }));
    let got = served.get("/cyberd/v1/rounds?pagination.reverse=true");
    assert!(got.json()["rounds"][0]["root_after"].is_string(), "{}", got.json());
}

#[test]
fn mistakes_have_the_status_and_text_of_gateways() {
    let served = Served::new();
    let text = |got: &crate::query::served::Got| {
        got.json()["message"].as_str().unwrap_or_default().to_owned()
    };
    let unknown = crate::testkit::wallet::Wallet::new("nobody", "bostrom", "x").bech32();
    let cases = [
        ("/ibc/apps/transfer/v1/params", 501, 12, "Not Implemented"),
        ("/nothing", 501, 12, "Not Implemented"),
        ("/cosmos/tx/v1beta1/simulate", 501, 12, "Method Not Allowed"),
        ("/cosmos/bank/v1beta1/spendable_balances/test", 400, 3, "decoding bech32 failed"),
        ("/cosmos/auth/v1beta1/accounts/xyz", 500, 2, "invalid bech32 string length 3"),
        (&*format!("/cosmos/auth/v1beta1/accounts/{unknown}"), 404, 5, "not found"),
        ("/cyber/rank/v1beta1/rank/rank/notacid", 500, 2, "codespace graph code 5: "),
        ("/cyber/rank/v1beta1/karma/%zz", 400, 3, "no text in percent encoding"),
        ("/cyber/rank/v1beta1/rank/top?pagination.page=-1", 400, 3, "right is an integer from 0"),
        ("/cosmos/bank/v1beta1/supply?pagination.key=*", 400, 3, "no base64"),
        ("/cosmos/bank/v1beta1/supply?pagination.reverse=maybe", 400, 3, "true or false"),
    ];
    for (path, status, code, words) in cases {
        let got = served.get(path);
        assert_eq!((got.status, &got.json()["code"]), (status, &json!(code)), "{path}");
        assert!(text(&got).contains(words), "{path}: {}", text(&got));
        assert_eq!(got.json()["details"], json!([]));
    }
    let latest = served.chain.snapshot().height().0;
    for (height, status, words) in [
        ("1000000".to_owned(), 400, "cannot query with height in the future"),
        ("-5".to_owned(), 400, "height < 0"),
        ("high".to_owned(), 400, "'high' is no height"),
        (latest.to_string(), 200, ""),
        ((latest - 1).to_string(), 200, ""),
    ] {
        let header = [("x-cosmos-block-height", &*height)];
        let got = served.ask("GET", "/cosmos/bank/v1beta1/params", &header, b"");
        assert_eq!(got.status, status, "{height}");
        match status {
            200 => assert_eq!(got.header("x-cosmos-block-height"), Some(&*height)),
            _ => assert!(text(&got).contains(words), "{height}: {}", text(&got)),
        }
    }
}

#[test]
fn bodies_that_are_wrong_long_or_late_are_refused_with_reasons() {
    let served = Served::new();
    let path = "/cosmos/tx/v1beta1/simulate";
    let cases = [
        (json!({ "tx_bytes": "AA==" }), 503, 14, "does not simulate"),
        (json!({ "txBytes": "AA" }), 503, 14, "does not simulate"),
        (json!({ "tx_bytes": "" }), 400, 3, "empty txBytes is not allowed"),
        (json!({ "tx_byte": "AA==" }), 400, 3, "unknown field \"tx_byte\" in cosmos.tx"),
        (json!({ "tx_bytes": "**" }), 400, 3, "no base64"),
        (json!({ "tx_bytes": 5 }), 400, 3, "right is a text"),
        (json!([]), 400, 3, "right is an object"),
    ];
    for (body, status, code, words) in cases {
        let got = served.post(path, &body);
        let message = got.json()["message"].to_string();
        assert_eq!((got.status, &got.json()["code"]), (status, &json!(code)), "{body}: {message}");
        assert!(message.replace('\\', "").contains(words), "{body}: {message}");
    }
    let got = served.ask("POST", path, &[], b"{\"tx_bytes\": ");
    assert_eq!((got.status, &got.json()["code"]), (400, &json!(3)));
    let xml = [("content-type", "application/xml")];
    let got = served.ask("POST", path, &xml, b"<tx/>");
    assert_eq!((got.status, &got.json()["code"]), (415, &json!(3)));
    assert!(got.json()["message"].to_string().contains("a body is application/json"));
    // Announced and not announced.
    let long = vec![b' '; 10_000_000];
    let got = served.ask("POST", path, &[], &long);
    assert_eq!((got.status, &got.json()["code"]), (413, &json!(8)));
    assert!(got.json()["message"].to_string().contains(&BODY_BYTES_MAX.to_string()));
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\
         \r\n{:x}\r\n",
        long.len()
    );
    assert_eq!(served.raw(head.as_bytes(), &long).status, 413);
    // A head that is no HTTP, and one of a megabyte.
    assert_eq!(served.raw(b"nonsense\r\n\r\n", b"").status, 400);
    let head = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(1_000_000));
    assert_eq!(served.raw(b"", head.as_bytes()).status, 431);
}

#[test]
fn a_request_half_sent_is_given_up() {
    let served = Served::new();
    let head = "POST /cosmos/tx/v1beta1/simulate HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\
                connection: close\r\n\r\n{";
    let got = served.raw(head.as_bytes(), b"");
    assert_eq!((got.status, &got.json()["code"]), (408, &json!(4)));
    // The others are answered meanwhile and after it.
    assert_eq!(served.get("/cosmos/bank/v1beta1/params").status, 200);
}

#[test]
fn the_site_describes_every_path_and_asks_for_nothing_elsewhere() {
    let served = Served::new();
    let index = served.get("/").json();
    assert_eq!(index["chain_id"], "cyberd-test", "{index}");
    let document = served.get("/openapi.json").json();
    let paths = document["paths"].as_object().expect("an object");
    assert!(paths.len() > 50);
    let search = &paths["/cyber/rank/v1beta1/rank/search/{particle}"]["get"];
    let names: Vec<&Value> = search["parameters"].as_array().expect("a list").iter().collect();
    let names: Vec<&str> = names.iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["particle", "pagination.page", "pagination.per_page"]);
    // Every reference leads somewhere.
    let text = document.to_string();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().expect("a name");
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    let html = [("accept", "text/html,*/*")];
    let page = served.ask("GET", "/", &html, b"");
    assert!(page.header("content-security-policy").is_some_and(|it| it.contains("'self'")));
    for file in ["/api", "/api/page.js", "/api/page.css"] {
        let got = served.get(file);
        let text = String::from_utf8(got.body).expect("text");
        assert_eq!(got.status, 200, "{file}");
        assert!(!text.contains("https://") && !text.contains("http://"), "{file}");
    }
    let info = served.ask("GET", "/chain-info", &[("host", "node.example:1317")], b"").json();
    assert_eq!(
        (&info["rest"], &info["rpc"]),
        (&json!("http://node.example:1317"), &json!("http://node.example:26657"))
    );
    assert_eq!(info["feeCurrencies"][0]["gasPriceStep"]["low"], 0);
    assert_eq!(info["bech32Config"]["bech32PrefixConsPub"], "bostromvalconspub");
}

/// What a message looks like in JSON.
fn written(tables: &Tables, name: &str, message: &impl Message) -> Value {
    let shape = tables.shapes.find(name).expect("a message there is");
    let json = write::message(&tables.shapes, shape, &message.encode_to_vec());
    serde_json::from_slice(&json.expect("a message of its kind")).expect("JSON")
}

#[test]
fn json_is_that_of_the_gateways() {
    use cyber_proto::cosmos::auth::v1beta1::BaseAccount;
    use cyber_proto::tendermint::types::{Block, EvidenceList, Header};
    use cyber_proto::{Any, Timestamp};
    let tables = Tables::new();
    let any = Any { type_url: "/not.Known".into(), value: vec![1, 2] };
    let account = BaseAccount { pub_key: Some(any), ..BaseAccount::default() };
    assert_eq!(
        written(&tables, "cosmos.auth.v1beta1.BaseAccount", &account),
        json!({
            "address": "", "account_number": "0", "sequence": "0",
            "pub_key": { "@type": "/not.Known", "value": "AQI=" },
        })
    );
    let time = Timestamp { seconds: 1_795_175_321, nanos: 681_000_000 };
    let header = Header { time: Some(time), app_hash: vec![255], ..Header::default() };
    let evidence = EvidenceList::default();
    let block = Block { header: Some(header), evidence: Some(evidence), ..Block::default() };
    let json = written(&tables, "tendermint.types.Block", &block);
    assert_eq!(json["header"]["time"], "2026-11-20T11:48:41.681Z");
    assert_eq!(json["header"]["app_hash"], "/w==");
    assert_eq!(json["header"]["data_hash"], Value::Null);
    assert_eq!(json["header"]["last_block_id"]["part_set_header"]["total"], 0);
    assert_eq!((&json["data"], &json["last_commit"]), (&json!({ "txs": [] }), &Value::Null));
    assert_eq!(json["evidence"], json!({ "evidence": [] }));
    for (atomics, decimal) in [
        ("850000000000000000", "0.850000000000000000"),
        ("0", "0.000000000000000000"),
        ("", "0.000000000000000000"),
        ("-12345678901234567890", "-12.345678901234567890"),
        ("odd", "odd"),
    ] {
        assert_eq!(write::decimal(atomics), decimal);
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_and_no_path_make_it_panic(
        bytes: Vec<u8>,
        place in 0usize..200,
        path in "[/a-z0-9{}%.=*]{0,80}",
    ) {
        static TABLES: std::sync::LazyLock<Tables> = std::sync::LazyLock::new(Tables::new);
        let tables = &*TABLES;
        let endpoints = tables.paths.endpoints();
        let endpoint = &endpoints[place % endpoints.len()];
        let shape = tables.shapes.find(&endpoint.output).expect("a message there is");
        if let Ok(json) = write::message(&tables.shapes, shape, &bytes) {
            serde_json::from_slice::<Value>(&json).expect("JSON");
        }
        drop(tables.paths.find(super::paths::Verb::Get, &path));
    }
}
