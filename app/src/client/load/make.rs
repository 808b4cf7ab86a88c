//! Transactions of the load, made and signed as fast as the machine can: message bytes, signing
//! document, signature. What [`crate::client::Draft`] makes for everybody is slower: its general
//! types and its portable cryptography would be the load's largest cost.
//!
//! No two links of an account are alike, whatever runs came before on the same chain: the account's
//! sequence says which links it makes next.

use super::genesis;
use crate::client::keys::Secret;
use crate::client::Failure;
use crate::types::cid::particle_of_bytes;
use crate::types::{sha256, Address};
use cyber_proto::cosmos::bank::v1beta1::MsgSend;
use cyber_proto::cosmos::base::v1beta1::Coin;
use cyber_proto::cosmos::crypto::secp256k1::PubKey;
use cyber_proto::cosmos::tx::signing::v1beta1::SignMode;
use cyber_proto::cosmos::tx::v1beta1::{mode_info, AuthInfo, Fee, ModeInfo, SignDoc};
use cyber_proto::cosmos::tx::v1beta1::{SignerInfo, TxBody, TxRaw};
use cyber_proto::cyber::graph::v1beta1::{Link, MsgCyberlink};
use cyber_proto::Any;
use prost::{Message, Name};
use secp256k1::SECP256K1;

/// Most links of one transaction here.
pub const MOST_LINKS: u32 = 500;
/// An account's transactions begin their links so far apart, so that runs with different numbers
/// of links in a transaction never make the same one.
const SPACING: u64 = 512;
/// One particle in so many is a hub, and one link in four leads to a hub.
const HUBS: u64 = 100;
const TO_HUBS: u64 = 4;

/// What a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// So many links, from 1.
    Links(u32),
    /// One coin to another account.
    Send,
}

/// What is the same for all transactions of a run.
pub struct Maker {
    pub chain_id: String,
    pub prefix: String,
    pub denomination: String,
    pub work: Work,
    /// `None`: what our chain's formula comes to.
    pub gas: Option<u64>,
    /// CIDv0 of every particle.
    particles: Vec<String>,
}

/// An account that sends, and where it is.
pub struct Sender {
    /// Its number among the accounts of the load genesis.
    pub number: u32,
    pub address: String,
    secret: secp256k1::SecretKey,
    public_key: Any,
    /// On the chain.
    pub account_number: u64,
    /// Of its next transaction.
    pub sequence: u64,
}

impl Sender {
    /// The account of a number, not yet looked up on a chain.
    pub fn new(number: u32, prefix: &str) -> Sender {
        let secret: Secret = genesis::secret(number);
        let public = secret.public_key();
        let key = PubKey { key: public.to_vec() };
        Sender {
            number,
            address: Address::of_key(&public).to_bech32(prefix),
            secret: secp256k1::SecretKey::from_byte_array(*secret.as_bytes())
                .expect("a Secret is a number below the order of the curve"),
            public_key: any(&key),
            account_number: 0,
            sequence: 0,
        }
    }
}

impl Maker {
    /// A maker for a chain; links will be among so many particles.
    ///
    /// # Errors
    /// When the numbers leave no room for links that differ.
    pub fn new(chain_id: &str, prefix: &str, work: Work, particles: u32) -> Result<Maker, Failure> {
        if !(1_000..=10_000_000).contains(&particles) {
            let text = format!("--particles {particles}: from 1,000 to 10,000,000 are possible");
            return Err(Failure::usage(text));
        }
        match work {
            Work::Links(links) if !(1..=MOST_LINKS).contains(&links) => {
                let text = format!("--links {links}: from 1 to {MOST_LINKS} fit in a message");
                return Err(Failure::usage(text));
            }
            _ => {}
        }
        use rayon::prelude::*;
        let cid = |n: u32| particle_of_bytes(format!("load particle {n}").as_bytes()).to_cid();
        Ok(Maker {
            chain_id: chain_id.to_owned(),
            prefix: prefix.to_owned(),
            denomination: "boot".to_owned(),
            work,
            gas: None,
            particles: (0..particles).into_par_iter().map(cid).collect(),
        })
    }

    /// Links of one transaction.
    pub fn links(&self) -> u32 {
        match self.work {
            Work::Links(links) => links,
            Work::Send => 0,
        }
    }

    /// The next transaction of an account; coins go to the receiver.
    pub fn next(&self, sender: &mut Sender, receiver: &str) -> Vec<u8> {
        let message = match self.work {
            Work::Links(links) => any(&MsgCyberlink {
                neuron: sender.address.clone(),
                links: (0..links).map(|at| self.link(sender, at)).collect(),
                skip_existing: false,
            }),
            Work::Send => any(&self.send(sender, receiver)),
        };
        let bytes = self.sign(sender, message);
        sender.sequence += 1;
        bytes
    }

    fn send(&self, sender: &Sender, receiver: &str) -> MsgSend {
        let coin = Coin { denom: self.denomination.clone(), amount: "1".to_owned() };
        MsgSend {
            from_address: sender.address.clone(),
            to_address: receiver.to_owned(),
            amount: vec![coin],
        }
    }

    /// Link `at` of the account's next transaction. Within one turn through all sources each link
    /// has another source; each turn has another distance to the target. Targets are hubs in the
    /// first turn only, and hubs are no sources, so no link comes twice.
    fn link(&self, sender: &Sender, at: u32) -> Link {
        let serial = sender.sequence * SPACING + u64::from(at);
        let hubs = self.particles.len() as u64 / HUBS;
        let others = self.particles.len() as u64 - hubs;
        let place = scatter(u64::from(sender.number));
        let (turn, step) = (serial / others, serial % others);
        let from = (place % others + step) % others;
        let chance = scatter(place ^ from);
        let to = match turn {
            0 if chance.is_multiple_of(TO_HUBS) => others + chance / TO_HUBS % hubs,
            _ => (from + 1 + (place / others + turn) % (others - 1)) % others,
        };
        let cid = |particle: u64| self.particles[particle as usize].clone();
        Link { from: cid(from), to: cid(to) }
    }

    fn sign(&self, sender: &Sender, message: Any) -> Vec<u8> {
        let per_message = match self.work {
            Work::Links(links) => 1_000 + 100 * u64::from(links),
            Work::Send => 20_000,
        };
        let body_bytes = TxBody { messages: vec![message], ..TxBody::default() }.encode_to_vec();
        // Everything around the body is below 250 bytes.
        let formula = 10 * (body_bytes.len() as u64 + 250) + 1_000 + per_message;
        let auth_info_bytes = self.auth_info(sender, self.gas.unwrap_or(formula)).encode_to_vec();
        let document = SignDoc {
            body_bytes,
            auth_info_bytes,
            chain_id: self.chain_id.clone(),
            account_number: sender.account_number,
        };
        let digest = secp256k1::Message::from_digest(sha256(&document.encode_to_vec()));
        let signature = SECP256K1.sign_ecdsa(digest, &sender.secret).serialize_compact();
        let SignDoc { body_bytes, auth_info_bytes, .. } = document;
        TxRaw { body_bytes, auth_info_bytes, signatures: vec![signature.to_vec()] }.encode_to_vec()
    }

    fn auth_info(&self, sender: &Sender, gas_limit: u64) -> AuthInfo {
        let single = mode_info::Single { mode: SignMode::Direct.into() };
        let signer = SignerInfo {
            public_key: Some(sender.public_key.clone()),
            mode_info: Some(ModeInfo { sum: Some(mode_info::Sum::Single(single)) }),
            sequence: sender.sequence,
        };
        let fee = Fee { gas_limit, ..Fee::default() };
        AuthInfo { signer_infos: vec![signer], fee: Some(fee), ..AuthInfo::default() }
    }
}

/// A transaction of CometBFT's own example application, of a length: a key and a value.
pub fn key_value(number: u64, length: usize) -> Vec<u8> {
    let mut text = format!("load{number:016x}=");
    let mut state = number;
    while text.len() < length {
        state = scatter(state);
        text.push_str(&format!("{state:016x}"));
    }
    text.truncate(length);
    text.into_bytes()
}

/// A number whose bits all depend on all bits of another (splitmix64).
pub fn scatter(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn maker(work: Work) -> Maker {
        Maker::new("load-test", "bostrom", work, 1_000).expect("maker")
    }

    #[test]
    fn the_chain_reads_what_is_made_and_the_signature_holds() {
        use crate::client::SigningKey;
        use crate::tx::{decode, verify};
        for work in [Work::Links(3), Work::Send] {
            let maker = maker(work);
            let mut sender = Sender::new(7, "bostrom");
            (sender.account_number, sender.sequence) = (12, 34);
            let bytes = maker.next(&mut sender, &Sender::new(8, "bostrom").address);
            assert_eq!(sender.sequence, 35);
            let tx = decode(bytes.into(), "bostrom").expect("decodes");
            let key = tx.signer_infos[0].public_key.clone().expect("a key");
            verify(&tx, 0, &key, "load-test", 12).expect("signed");
            let own = SigningKey::of_secret("load", genesis::secret(7));
            assert_eq!(own.address().to_bech32("bostrom"), sender.address);
        }
    }

    #[test]
    fn no_link_of_an_account_comes_twice_in_many_turns() {
        let maker = maker(Work::Links(100));
        let mut sender = Sender::new(3, "bostrom");
        let mut seen = BTreeSet::new();
        let mut hubs = 0;
        for _ in 0..200 {
            for at in 0..100 {
                let link = maker.link(&sender, at);
                assert_ne!(link.from, link.to);
                hubs += u32::from(maker.particles[990..].contains(&link.to));
                assert!(seen.insert((link.from, link.to)));
            }
            sender.sequence += 1;
        }
        assert!(hubs > 0);
    }

    #[test]
    fn a_key_and_its_value_have_the_length_asked_for() {
        let one = key_value(1, 250);
        assert_eq!(one.len(), 250);
        assert_eq!(one.iter().filter(|byte| **byte == b'=').count(), 1);
        assert_ne!(one, key_value(2, 250));
    }
}
