//! The mock's RPC: the answers of CometBFT 0.38 as JSON, the application's as protobuf.

use super::chain::{MockChain, MockRefusal};
use crate::types::sha256;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use cyber_proto::cosmos::auth::v1beta1 as auth;
use cyber_proto::cosmos::bank::v1beta1 as bank;
use cyber_proto::cosmos::base::node::v1beta1::ConfigResponse;
use cyber_proto::cosmos::base::v1beta1::Coin;
use cyber_proto::cyber::bandwidth::v1beta1 as bandwidth;
use cyber_proto::cyber::graph::v1beta1::{Link, QueryGraphStatsResponse};
use cyber_proto::cyber::rank::v1beta1 as rank;
use cyber_proto::cyberd::v1 as own;
use prost::{Message, Name};
use serde_json::{json, Value};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

type Chain = Arc<Mutex<MockChain>>;

pub(super) fn router(chain: Chain) -> Router {
    // As much as CometBFT takes in the settings we ship.
    let limit = axum::extract::DefaultBodyLimit::max(8 << 20);
    Router::new().route("/", post(answer)).layer(limit).with_state(chain)
}

async fn answer(
    State(chain): State<Chain>,
    Json(request): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let mut chain = chain.lock().expect("lock");
    if chain.down {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let params = &request["params"];
    let result = match request["method"].as_str().unwrap_or_default() {
        "status" => Ok(status(&chain)),
        "abci_query" => Ok(query(&chain, params)),
        "broadcast_tx_sync" => broadcast(&mut chain, params),
        "tx" => transaction(&chain, params),
        "block" => Ok(block(&chain, params)),
        "block_results" => Ok(block_results(&chain, params)),
        other => panic!("the mock does not know {other}"),
    };
    Ok(Json(match result {
        Ok(result) => json!({"jsonrpc": "2.0", "id": request["id"], "result": result}),
        Err(data) => json!({
            "jsonrpc": "2.0",
            "id": request["id"],
            "error": {"code": -32603, "message": "Internal error", "data": data},
        }),
    }))
}

const HASH: &str = "AB10000000000000000000000000000000000000000000000000000000000000";
const TIME: &str = "2026-11-20T12:00:00.5Z";

fn status(chain: &MockChain) -> Value {
    json!({
        "node_info": {
            "protocol_version": {"p2p": "8", "block": "11", "app": "1"},
            "id": "5576458aef205977e18fd50b274e9b5d9014525a",
            "listen_addr": "tcp://0.0.0.0:26656",
            "network": chain.chain_id,
            "version": "0.38.25",
            "channels": "40202122233038606100",
            "moniker": "mock",
            "other": {"tx_index": "on", "rpc_address": "tcp://127.0.0.1:26657"},
        },
        "sync_info": {
            "latest_block_hash": HASH,
            "latest_app_hash": HASH,
            "latest_block_height": chain.height.to_string(),
            "latest_block_time": TIME,
            "earliest_block_hash": HASH,
            "earliest_app_hash": HASH,
            "earliest_block_height": "1",
            "earliest_block_time": TIME,
            "catching_up": false,
        },
        "validator_info": {
            "address": "A1D7A6A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1",
            "pub_key": {
                "type": "tendermint/PubKeyEd25519",
                "value": "Gj9Yq0zUoHuGGlOyUvVWtM7Mxfz3Y0uC1hTnRy1rM0s=",
            },
            "voting_power": "10",
        },
    })
}

fn query(chain: &MockChain, params: &Value) -> Value {
    let data = hex::decode(params["data"].as_str().unwrap_or_default()).expect("hex");
    let path = params["path"].as_str().unwrap_or_default();
    let outcome = match path.rsplit('/').next().unwrap_or_default() {
        "Account" => account(chain, &data),
        name => Ok(ask(chain, name, &data)),
    };
    let (value, (space, code, log)) = match outcome {
        Ok(value) => (value, ("", 0, String::new())),
        Err(refusal) => (Vec::new(), refusal),
    };
    json!({"response": {
        "code": code, "log": log, "info": "", "index": "0", "key": null,
        "value": STANDARD.encode(value), "proofOps": null,
        "height": chain.height.to_string(), "codespace": space,
    }})
}

fn account(chain: &MockChain, data: &[u8]) -> Result<Vec<u8>, MockRefusal> {
    let request = auth::QueryAccountRequest::decode(data).expect("request");
    let Some(found) = chain.accounts.get(&request.address) else {
        let log = "rpc error: code = NotFound desc = account not found: key not found";
        return Err(("sdk", 22, log.to_owned()));
    };
    let account = auth::BaseAccount {
        address: request.address,
        account_number: found.number,
        sequence: found.sequence,
        ..auth::BaseAccount::default()
    };
    let type_url = auth::BaseAccount::type_url();
    let any = cyber_proto::Any { type_url, value: account.encode_to_vec() };
    Ok(auth::QueryAccountResponse { account: Some(any) }.encode_to_vec())
}

fn ask(chain: &MockChain, name: &str, data: &[u8]) -> Vec<u8> {
    match name {
        "IsLinkExist" => {
            let request = rank::QueryIsLinkExistRequest::decode(data).expect("request");
            let link = (request.address, request.from, request.to);
            rank::QueryLinkExistResponse { exist: chain.links.contains(&link) }.encode_to_vec()
        }
        "Exists" => {
            let request = own::QueryExistsRequest::decode(data).expect("request");
            let has =
                |link: Link| chain.links.contains(&(request.neuron.clone(), link.from, link.to));
            let exists = request.links.clone().into_iter().map(has).collect();
            own::QueryExistsResponse { exists }.encode_to_vec()
        }
        "NeuronBandwidth" => {
            let request = bandwidth::QueryNeuronBandwidthRequest::decode(data).expect("request");
            let found = chain.accounts.get(&request.neuron).cloned().unwrap_or_default();
            let neuron_bandwidth = Some(bandwidth::NeuronBandwidth {
                neuron: request.neuron,
                remained_value: found.remained,
                last_updated_block: chain.height,
                max_value: found.max,
            });
            bandwidth::QueryNeuronBandwidthResponse { neuron_bandwidth }.encode_to_vec()
        }
        "Price" => {
            bandwidth::QueryPriceResponse { price: format!("1{}", "0".repeat(18)) }.encode_to_vec()
        }
        "Params" => bandwidth::QueryParamsResponse { params: Some(params()) }.encode_to_vec(),
        "Search" => {
            let request = rank::QuerySearchRequest::decode(data).expect("request");
            let leads = chain.links.iter().filter(|(_, from, _)| *from == request.particle);
            let ends: BTreeSet<&String> = leads.map(|(_, _, to)| to).collect();
            let total = ends.len() as u32;
            let row =
                |particle: &String| rank::RankedParticle { particle: particle.clone(), rank: 7 };
            let result = ends.into_iter().map(row).collect();
            let pagination = Some(rank::PageResponse { total });
            rank::QuerySearchResponse { result, pagination }.encode_to_vec()
        }
        "GraphStats" => {
            let cyberlinks = chain.links.len() as u64;
            QueryGraphStatsResponse { cyberlinks, particles: 0 }.encode_to_vec()
        }
        "Balance" => {
            let balance = Some(Coin { denom: "boot".to_owned(), amount: "1000".to_owned() });
            bank::QueryBalanceResponse { balance }.encode_to_vec()
        }
        "Config" => {
            ConfigResponse { minimum_gas_price: chain.minimum_gas_price.clone() }.encode_to_vec()
        }
        other => panic!("the mock does not know the query {other}"),
    }
}

/// Only links cost something, so that tests can count.
fn params() -> bandwidth::Params {
    bandwidth::Params {
        recovery_period: 10,
        max_block_bandwidth: 1 << 40,
        network_bandwidth: 1 << 40,
        link_cost: super::chain::LINK_UNITS,
        max_links_per_message: 50,
        ..bandwidth::Params::default()
    }
}

fn broadcast(chain: &mut MockChain, params: &Value) -> Result<Value, String> {
    let bytes = STANDARD.decode(params["tx"].as_str().unwrap_or_default()).expect("base64");
    let hash = hex::encode_upper(sha256(&bytes));
    let (space, code, log) = match chain.check(&bytes) {
        None => return Err("tx already exists in cache".to_owned()),
        Some(Ok(())) => ("", 0, String::new()),
        Some(Err(refusal)) => refusal,
    };
    Ok(json!({"code": code, "data": "", "log": log, "codespace": space, "hash": hash}))
}

fn transaction(chain: &MockChain, params: &Value) -> Result<Value, String> {
    if !chain.indexed {
        return Err("transaction indexing is disabled".to_owned());
    }
    let bytes = STANDARD.decode(params["hash"].as_str().unwrap_or_default()).expect("base64");
    let hash: [u8; 32] = bytes.try_into().expect("32 bytes");
    let text = hex::encode_upper(hash);
    let Some(found) = chain.results.get(&hash) else {
        return Err(format!("tx ({text}) not found"));
    };
    Ok(json!({
        "hash": text,
        "height": found.height.to_string(),
        "index": 0,
        "tx_result": result(found),
        "tx": "",
    }))
}

fn result(found: &super::chain::MockResult) -> Value {
    json!({
        "code": found.code, "data": STANDARD.encode(&found.data), "log": found.log, "info": "",
        "gas_wanted": "100", "gas_used": "90", "events": [], "codespace": found.space,
    })
}

fn height_of(params: &Value) -> u64 {
    params["height"].as_str().and_then(|text| text.parse().ok()).expect("a height")
}

fn block(chain: &MockChain, params: &Value) -> Value {
    let height = height_of(params);
    let txs: Vec<String> = chain.block_at(height).iter().map(|tx| STANDARD.encode(tx)).collect();
    let id = json!({"hash": HASH, "parts": {"total": 1, "hash": HASH}});
    json!({
        "block_id": id,
        "block": {
            "header": {
                "version": {"block": "11", "app": "1"},
                "chain_id": chain.chain_id,
                "height": height.to_string(),
                "time": TIME,
                "last_block_id": id,
                "last_commit_hash": HASH, "data_hash": HASH, "validators_hash": HASH,
                "next_validators_hash": HASH, "consensus_hash": HASH, "app_hash": HASH,
                "last_results_hash": HASH, "evidence_hash": HASH,
                "proposer_address": "A1D7A6A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1",
            },
            "data": {"txs": txs},
            "evidence": {"evidence": []},
            "last_commit": {
                "height": (height - 1).to_string(),
                "round": 0,
                "block_id": id,
                "signatures": [],
            },
        },
    })
}

fn block_results(chain: &MockChain, params: &Value) -> Value {
    let height = height_of(params);
    let known = |tx: &Vec<u8>| chain.results.get(&sha256(tx)).map(result);
    let results: Vec<Value> = chain.block_at(height).iter().filter_map(known).collect();
    json!({
        "height": height.to_string(),
        "txs_results": results,
        "finalize_block_events": [],
        "validator_updates": null,
        "consensus_param_updates": null,
        "app_hash": "",
    })
}
