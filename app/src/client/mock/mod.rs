//! A node for the client's tests: CometBFT's RPC over HTTP in front of a chain of a few rules
//! (sequences, timeouts, links, bandwidth at price 1). Blocks come when the test says so or by
//! themselves; it can be switched off, and made to forget its mempool as a killed node does.

mod chain;
mod rpc;

pub use chain::{MockChain, LINK_UNITS};

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// A running mock node; gone when dropped.
pub struct MockNode {
    chain: Arc<Mutex<MockChain>>,
    address: String,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl MockNode {
    /// Starts one that makes blocks only when asked.
    pub async fn start() -> MockNode {
        let chain = Arc::new(Mutex::new(MockChain::begin()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = format!("http://{}", listener.local_addr().expect("address"));
        let router = rpc::router(chain.clone());
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("served");
        });
        MockNode { chain, address, tasks: vec![server] }
    }

    /// The same, making a block every so often.
    pub async fn with_blocks(every: Duration) -> MockNode {
        let mut node = MockNode::start().await;
        let chain = node.chain.clone();
        node.tasks.push(tokio::spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                chain.lock().expect("lock").block();
            }
        }));
        node
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn client(&self) -> crate::client::Client {
        crate::client::Client::new(&self.address).expect("address")
    }

    pub fn chain(&self) -> MutexGuard<'_, MockChain> {
        self.chain.lock().expect("lock")
    }
}

impl Drop for MockNode {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}
