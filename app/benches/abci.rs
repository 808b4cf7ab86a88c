//! The ABCI socket: 50,000 CheckTx through it as CometBFT sends them, a Flush behind each, without
//! waiting for answers; and a block, against the same block without the socket.
//!
//! `cargo bench -p cyberd --bench abci [-- LINKS …] [--keep FOLDER]`; `-- --test` is small. Figures
//! on standard output, in Markdown. The client costs processor time of the same cores.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]
#![allow(clippy::float_arithmetic, reason = "figures for people")]

mod common;

use common::{engine, median, next_block, timed, Arguments, Signer};
use cyberd::abci::address::Address;
use cyberd::abci::server::Server;
use cyberd::abci::Application;
use cyberd::engine::{
    Block, BlockOutcome, CheckRequest, ChunkVerdict, Engine, Genesis, GenesisOutcome, Info,
    OfferVerdict, Proposal, ProposalVerdict, QueryAnswer, QueryRequest, Snapshot, TxResult,
};
use cyberd::error::Fault;
use cyberd::types::{Hash, Height};
use prost::bytes::{Buf, Bytes, BytesMut};
use prost::Message;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;
use tendermint_proto::v0_38::abci as wire;
use wire::request::Value as Request;
use wire::response::Value as Response;

const CHECKS: usize = 50_000;
const BLOCK_TXS: usize = 10_000;
const BLOCKS: usize = 5;

/// The engine alone behind the server: what the node adds to it is measured elsewhere.
struct App(Engine);

impl Application for App {
    fn info(&self) -> Info {
        self.0.info()
    }
    fn init_chain(&self, genesis: Genesis) -> Result<GenesisOutcome, Fault> {
        self.0.init_chain(&genesis)
    }
    fn check_txs(&self, requests: &[CheckRequest], results: &mut Vec<TxResult>) {
        self.0.check_txs(requests, results);
    }
    fn prepare_proposal(&self, proposal: Proposal) -> Result<Vec<Bytes>, Fault> {
        self.0.prepare_proposal(&proposal)
    }
    fn process_proposal(&self, proposal: Proposal) -> Result<ProposalVerdict, Fault> {
        self.0.process_proposal(&proposal)
    }
    fn finalize_block(&self, block: Block) -> Result<BlockOutcome, Fault> {
        self.0.finalize_block(&block)
    }
    fn commit(&self) -> Result<Height, Fault> {
        self.0.commit()
    }
    fn query(&self, _: QueryRequest) -> QueryAnswer {
        QueryAnswer::default()
    }
    fn list_snapshots(&self) -> Vec<Snapshot> {
        Vec::new()
    }
    fn offer_snapshot(&self, _: Snapshot, _: Hash) -> Result<OfferVerdict, Fault> {
        Ok(OfferVerdict::Abort("a bench".into()))
    }
    fn load_snapshot_chunk(&self, _: Height, _: u32, _: u32) -> Option<Bytes> {
        None
    }
    fn apply_snapshot_chunk(&self, _: u32, _: Bytes, _: &str) -> Result<ChunkVerdict, Fault> {
        Ok(ChunkVerdict::Abort("a bench".into()))
    }
}

fn main() {
    let arguments = Arguments::read();
    let (checks, txs) = match arguments.is_test {
        true => (1_000, 200),
        false => (CHECKS, BLOCK_TXS),
    };
    for links in &arguments.sizes {
        let folder = arguments.chain(*links);
        let application = Arc::new(App(engine(folder.path())));
        let socket = folder.path().join("abci.sock");
        let address = Address::unix(&socket).expect("a short path");
        let stop = Box::new(|fault: Fault| panic!("{fault}"));
        let server = Server::start(&address, application.clone(), 2, stop).expect("it listens");
        let mut signer = Signer::new(&application.0.base().expect("a state"), *links);
        println!("\n## {links} links, {} accounts\n", arguments.accounts);
        let signed = signer.links(checks, 1);
        let (admitted, took) = timed(|| check(&socket, &signed));
        assert_eq!(admitted, checks);
        let rate = checks as f64 / took.as_secs_f64();
        println!("{checks} CheckTx in {:.2} s: {rate:.0} a second.\n", took.as_secs_f64());
        let (through, alone) = blocks(&socket, &application.0, &signed, txs);
        println!(
            "A block of {txs} transactions of a link, checked before: {through:.1} ms through \
             the socket, {alone:.1} ms without it.",
        );
        server.stop(Duration::from_secs(5));
    }
}

fn encoded(request: Request, out: &mut Vec<u8>) {
    let request = wire::Request { value: Some(request) };
    request.encode_length_delimited(out).expect("a vector takes any length");
}

/// The next answer of a stream; what was read beyond it stays in the buffer.
fn answer(stream: &mut UnixStream, buffer: &mut BytesMut) -> Response {
    let mut window = vec![0; 1 << 18];
    loop {
        let mut rest = &buffer[..];
        if let Ok(length) = prost::encoding::decode_varint(&mut rest) {
            let prefix = buffer.len() - rest.len();
            if rest.len() as u64 >= length {
                buffer.advance(prefix);
                let frame = buffer.split_to(length as usize).freeze();
                let response = wire::Response::decode(frame).expect("a response");
                return response.value.expect("a value");
            }
        }
        let count = stream.read(&mut window).expect("the server answers");
        assert!(count > 0, "the server closed the connection");
        buffer.extend_from_slice(&window[..count]);
    }
}

/// Sends all, a Flush behind each, while the answers are read; how many were admitted.
fn check(socket: &std::path::Path, txs: &[Bytes]) -> usize {
    let mut reader = UnixStream::connect(socket).expect("it listens");
    let mut writer = reader.try_clone().expect("a descriptor");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for batch in txs.chunks(64) {
                let mut out = Vec::new();
                for tx in batch {
                    let check = wire::RequestCheckTx { tx: tx.clone(), r#type: 0 };
                    encoded(Request::CheckTx(check), &mut out);
                    encoded(Request::Flush(wire::RequestFlush {}), &mut out);
                }
                writer.write_all(&out).expect("the server reads");
            }
        });
        let mut buffer = BytesMut::new();
        let (mut seen, mut admitted) = (0, 0);
        while seen < txs.len() {
            if let Response::CheckTx(checked) = answer(&mut reader, &mut buffer) {
                seen += 1;
                admitted += usize::from(checked.code == 0);
            }
        }
        admitted
    })
}

/// Blocks in turns through the socket and without it: medians.
fn blocks(socket: &std::path::Path, engine: &Engine, signed: &[Bytes], txs: usize) -> (f64, f64) {
    let mut stream = UnixStream::connect(socket).expect("it listens");
    let mut buffer = BytesMut::new();
    let mut call = |request: Request| {
        let mut out = Vec::new();
        encoded(request, &mut out);
        encoded(Request::Flush(wire::RequestFlush {}), &mut out);
        stream.write_all(&out).expect("the server reads");
        let response = answer(&mut stream, &mut buffer);
        assert!(matches!(answer(&mut stream, &mut buffer), Response::Flush(_)));
        response
    };
    let (mut through, mut alone) = (Vec::new(), Vec::new());
    for (turn, batch) in signed.chunks_exact(txs).take(BLOCKS).enumerate() {
        let block = next_block(engine, batch.to_vec());
        if turn % 2 == 1 {
            let (_, took) = timed(|| engine.finalize_block(&block).expect("no fault"));
            alone.push(took);
            engine.commit().expect("the disk takes it");
            continue;
        }
        let request = wire::RequestFinalizeBlock {
            height: block.height.0 as i64,
            txs: block.txs,
            ..Default::default()
        };
        let (response, took) = timed(|| call(Request::FinalizeBlock(request)));
        through.push(took);
        let Response::FinalizeBlock(outcome) = response else { panic!("{response:?}") };
        assert!(outcome.tx_results.iter().all(|result| result.code == 0));
        call(Request::Commit(wire::RequestCommit {}));
    }
    (median(through), median(alone))
}
