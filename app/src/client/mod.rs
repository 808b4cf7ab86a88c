//! A node's client as a library: keys, signing, sending, waiting, asking, importing. The command
//! line of `cyberd` is made of it.
//!
//! A [`Client`] is the connection to a node, CometBFT's RPC, on the types of `cosmrs` and
//! `tendermint-rpc`. What is to be done goes into a [`Draft`]; a [`Sender`] signs and hands it
//! over; what it gives back waits for the block:
//!
//! ```no_run
//! use cyberd::client::{keys::Secret, Client, Draft, Failure, Sender, SigningKey};
//! use cyberd::types::cid::particle_of_text;
//!
//! # async fn link(words: &str) -> Result<(), Failure> {
//! let client = Client::new("http://127.0.0.1:26657")?;
//! let key = SigningKey::of_secret("mine", Secret::of_words(words, 0)?);
//! let neuron = key.address().to_bech32("bostrom");
//! let (dog, animal) = (particle_of_text("dog").1, particle_of_text("animal").1);
//! let sender = Sender { client: &client, home: None, prefix: "bostrom", key: &key };
//! let draft = Draft::link(&neuron, &[(dog, animal)], false);
//! let included = sender.send(&draft, &mut |_| ()).await?.wait(&client).await?;
//! println!("block {}, rank {}", included.height, client.rank(&animal).await?);
//! # Ok(())
//! # }
//! ```
//!
//! | for | see |
//! |---|---|
//! | whole programs | `app/examples`: send, link, search, explain, watch_rounds |
//! | questions to the chain | [`Client`], in [`queries`]; any other: [`Client::query`] |
//! | new links and rounds as they come | [`watch`] |
//! | links by the thousand | [`import`] |
//! | as many transactions as a node takes | [`load`] |
//! | key files | [`keys`] |
//! | a chain to test against | [`crate::testkit::DevChain`] |
//!
//! Every call that can fail gives a [`Failure`]: the chain's code (`graph/2`) or ours, what was
//! wrong, what to do, whether the same may succeed later, and the exit code of the command line.
//! A transaction's outcome is never guessed: in a block, refused, expired or said to be unknown.
//!
//! It talks to a node over its public addresses only and never touches the node's own files.
//! Nothing here is consensus: clocks, sleeping and tokio are allowed where they are named.

pub mod content;
pub mod failure;
pub mod files;
pub mod import;
pub mod join;
pub mod keys;
pub mod load;
#[cfg(test)]
pub mod mock;
pub mod queries;
pub mod rpc;
pub mod sequence;
pub mod settings;
pub mod submit;
pub mod transaction;
pub mod watch;

pub use content::ContentTable;
pub use failure::{Exit, Failure};
pub use keys::{KeyStore, SigningKey};
pub use rpc::Client;
pub use submit::{Sender, Sent};
pub use transaction::{Draft, FeeChoice};
pub use watch::Watch;
