//! Every path against a chain with links, sends and published ranks: values, pages, refusals with
//! the codes and texts of `clients.md`, limits, proofs, and bytes at random.

mod cosmos;
mod cyber;
mod go_cyber;
mod heights;
mod limits;
mod own;
mod proofs;
mod simulation;
mod staking;

use super::*;
use crate::testkit::wallet::TxOptions;
use crate::testkit::{Chain, ChainOptions};
use crate::types::{Amount, Coin};
use prost::Message;
use std::time::Duration;

/// Limits that a slow machine keeps.
pub fn limits() -> QueryLimits {
    let time_limit = Duration::from_secs(60);
    QueryLimits { rows_max: 1000, bytes_max: 4_000_000, time_limit, threads: 4 }
}

/// A chain and what answers queries about it.
pub struct World {
    pub chain: Chain,
    pub queries: Queries,
}

/// An answer's refusal: code, codespace, log.
pub type Refused = (u32, String, String);

impl World {
    /// Alice and Bob linked, Alice sent to Carol, the first round is published: height 12.
    ///
    /// 1 → 2 twice, 3 → 2, 1 → 4, 2 → 4.
    pub fn new() -> World {
        World::with(limits(), ChainOptions::default())
    }

    pub fn with(limits: QueryLimits, options: ChainOptions) -> World {
        let mut chain = Chain::with(options, |_| {});
        let (mut alice, mut bob) = (chain.wallet("alice"), chain.wallet("bob"));
        let of_alice = [(1, 2), (3, 2), (1, 4)].map(|(from, to)| (particle(from), particle(to)));
        let of_bob = [(2, 4), (1, 2)].map(|(from, to)| (particle(from), particle(to)));
        let links = alice.sign(vec![alice.link_message(&of_alice, false)]);
        let fee = vec![Coin::new(&chain.options.denom, Amount(77))];
        let options = TxOptions { fee, ..TxOptions::default() };
        let coin = Coin::new(&chain.options.denom, Amount(1_000));
        let to = chain.wallet("carol").address();
        let send = alice.sign_with(vec![alice.send_message(&to, &[coin])], &options);
        let more = bob.sign(vec![bob.link_message(&of_bob, false)]);
        let outcome = chain.block(vec![links, send, more]);
        outcome.results.iter().for_each(|result| assert!(result.is_ok(), "{}", result.log));
        let past = chain.next_height().0 / 10 * 10 + 12;
        chain.run_to(Height(past));
        let index = Arc::new(Index::new());
        let queries = Queries::new(chain.engine().reader().clone(), index, limits);
        World { chain, queries }
    }

    pub fn latest(&self) -> i64 {
        self.chain.snapshot().height().0 as i64
    }

    /// Asks at a height.
    pub fn ask_at<Response: Message + Default>(
        &self,
        path: &str,
        request: &impl Message,
        height: i64,
    ) -> Result<Response, Refused> {
        let answer = self.raw(path, request.encode_to_vec(), height, false);
        assert!(answer.height > 0, "every answer names a height");
        match answer.code {
            0 => Ok(Response::decode(answer.value).expect("a response of its kind")),
            code => Err((code, answer.codespace, answer.log)),
        }
    }

    /// Asks at the latest height.
    pub fn ask<Response: Message + Default>(
        &self,
        path: &str,
        request: &impl Message,
    ) -> Result<Response, Refused> {
        self.ask_at(path, request, 0)
    }

    pub fn raw(&self, path: &str, data: Vec<u8>, height: i64, prove: bool) -> QueryAnswer {
        let request = QueryRequest { path: path.into(), data: data.into(), height, prove };
        self.queries.answer(request)
    }

    pub fn number(&self, name: u8) -> ParticleNumber {
        use crate::state::Read;
        self.chain.snapshot().particle_number(&particle(name)).expect("linked")
    }
}

pub fn particle(name: u8) -> Particle {
    Particle([name; 32])
}

pub fn cid(name: u8) -> String {
    particle(name).to_cid()
}

pub fn refused(code: u32, space: &str, log: impl Into<String>) -> Refused {
    (code, space.into(), log.into())
}

#[test]
fn refusals_are_worded_for_abci_and_grpc() {
    let about = QueryError::about(code::PARTICLE_NOT_FOUND, "particle not found", "Qm");
    assert_eq!(about.refusal().log, "Qm: particle not found: unknown request");
    let grpc = "codespace graph code 6: particle not found: Qm".to_owned();
    assert_eq!(about.status(), (2, grpc));
    let missing = QueryError::not_found("account X not found");
    let log = "rpc error: code = NotFound desc = account X not found: key not found";
    assert_eq!(missing.refusal(), Refusal::new(code::KEY_NOT_FOUND, log));
    assert_eq!(missing.status(), (5, "account X not found".to_owned()));
    let plain = QueryError::Plain("bad".into());
    assert_eq!(plain.refusal(), Refusal::new(code::INVALID_REQUEST, "bad: invalid request"));
    assert_eq!(plain.status(), (2, "bad".to_owned()));
    let invalid = QueryError::invalid("bad");
    let log = "rpc error: code = InvalidArgument desc = bad: invalid request";
    assert_eq!(invalid.refusal(), Refusal::new(code::INVALID_REQUEST, log));
}

/// As much of `google.protobuf.FileDescriptorSet` as names services and their methods.
#[derive(Clone, PartialEq, prost::Message)]
struct Files {
    #[prost(message, repeated, tag = "1")]
    files: Vec<File>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct File {
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "6")]
    services: Vec<Service>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    methods: Vec<Method>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Method {
    #[prost(string, tag = "1")]
    name: String,
}

#[test]
fn every_method_of_every_query_service_has_a_handler_and_nothing_else_has() {
    let files = Files::decode(cyber_proto::DESCRIPTORS).expect("descriptors");
    let of_tx = ["Simulate", "TxDecode", "TxEncode"];
    let mut expected: Vec<String> =
        of_tx.iter().map(|method| format!("/cosmos.tx.v1beta1.Service/{method}")).collect();
    for File { package, services } in &files.files {
        for Service { name, methods } in services.iter().filter(|service| service.name == "Query") {
            expected
                .extend(methods.iter().map(|method| format!("/{package}.{name}/{}", method.name)));
        }
    }
    let mut routed: Vec<&str> = routes::ROUTES.iter().map(|route| route.path).collect();
    expected.sort();
    routed.sort_unstable();
    assert_eq!(routed, expected);
    assert!(routed.len() > 35);
}
