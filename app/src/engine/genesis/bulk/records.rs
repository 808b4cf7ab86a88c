//! The records of `genesis.bin`, to bytes and back.

use super::read::Input;
use super::Section;
use crate::error::Fault;
use crate::modules::auth::Account;
use crate::types::{Address, Amount, Coin, Particle};
use cyber_proto::cosmos::auth::v1beta1 as proto;
use cyber_proto::Any;
use prost::Message;

/// What a section consists of.
pub trait Record: Sized {
    const SECTION: Section;
    /// Appends the bytes.
    fn write(&self, out: &mut Vec<u8>);
    /// Reads them back.
    fn read(input: &mut Input) -> Result<Self, Fault>;
}

/// An account with what it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountRecord {
    pub address: Address,
    pub number: u64,
    pub sequence: u64,
    pub key: Option<Any>,
    /// A module's name and permissions.
    pub module: Option<(String, Vec<String>)>,
    /// By denomination, none zero.
    pub coins: Vec<Coin>,
}

impl AccountRecord {
    /// The account as the state has it.
    pub fn account(&self, prefix: &str) -> Account {
        let base = proto::BaseAccount {
            address: self.address.to_bech32(prefix),
            pub_key: self.key.clone(),
            account_number: self.number,
            sequence: self.sequence,
        };
        match self.module.clone() {
            None => Account::Base(base),
            Some((name, permissions)) => {
                let base_account = Some(base);
                Account::Module(proto::ModuleAccount { base_account, name, permissions })
            }
        }
    }
}

/// What was left to a neuron when it was last settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BandwidthRecord {
    pub neuron: Address,
    /// Millionths of a unit.
    pub remained: u128,
    pub since: u64,
}

/// A link by the places of its neuron and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkRecord {
    pub neuron: u32,
    pub from: u32,
    pub to: u32,
}

/// A neuron's rank-stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StakeRecord {
    pub neuron: Address,
    pub stake: u64,
}

fn put_address(out: &mut Vec<u8>, address: &Address) {
    put_short(out, address.as_bytes());
}

fn put_short(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u8::try_from(bytes.len()).expect("names and addresses are below 256 bytes");
    out.push(length);
    out.extend_from_slice(bytes);
}

impl Record for AccountRecord {
    const SECTION: Section = Section::Accounts;

    fn write(&self, out: &mut Vec<u8>) {
        put_address(out, &self.address);
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.sequence.to_be_bytes());
        let key = self.key.as_ref().map(Message::encode_to_vec).unwrap_or_default();
        let length = u16::try_from(key.len()).expect("a key is below 64 KiB");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&key);
        out.push(u8::from(self.module.is_some()));
        if let Some((name, permissions)) = &self.module {
            put_short(out, name.as_bytes());
            out.push(u8::try_from(permissions.len()).expect("few permissions"));
            permissions.iter().for_each(|text| put_short(out, text.as_bytes()));
        }
        let coins = u16::try_from(self.coins.len()).expect("fewer than 65,536 denominations");
        out.extend_from_slice(&coins.to_be_bytes());
        for Coin { denom, amount } in &self.coins {
            put_short(out, denom.as_bytes());
            out.extend_from_slice(&amount.0.to_be_bytes());
        }
    }

    fn read(input: &mut Input) -> Result<AccountRecord, Fault> {
        let address = input.address()?;
        let [number, sequence] = [input.u64()?, input.u64()?];
        let length = u16::from_be_bytes(input.array()?);
        let key = match length {
            0 => None,
            length => {
                let bytes = input.bytes(length.into())?;
                let key = Any::decode(bytes.as_slice());
                Some(key.map_err(|error| input.fault(&format!("its key: {error}")))?)
            }
        };
        let module = match input.u8()? {
            0 => None,
            1 => {
                let name = input.short_text()?;
                let count = input.u8()?;
                let permissions = (0..count).map(|_| input.short_text());
                Some((name, permissions.collect::<Result<_, _>>()?))
            }
            other => return Err(input.fault(&format!("kind {other}, 0 and 1 are known"))),
        };
        let count = u16::from_be_bytes(input.array()?);
        let coin = |_| {
            let denom = input.short_text()?;
            Ok(Coin { denom, amount: Amount(u128::from_be_bytes(input.array()?)) })
        };
        let coins = (0..count).map(coin).collect::<Result<_, Fault>>()?;
        Ok(AccountRecord { address, number, sequence, key, module, coins })
    }
}

impl Record for BandwidthRecord {
    const SECTION: Section = Section::Bandwidth;

    fn write(&self, out: &mut Vec<u8>) {
        put_address(out, &self.neuron);
        out.extend_from_slice(&self.remained.to_be_bytes());
        out.extend_from_slice(&self.since.to_be_bytes());
    }

    fn read(input: &mut Input) -> Result<BandwidthRecord, Fault> {
        let neuron = input.address()?;
        let remained = u128::from_be_bytes(input.array()?);
        Ok(BandwidthRecord { neuron, remained, since: input.u64()? })
    }
}

impl Record for Particle {
    const SECTION: Section = Section::Particles;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn read(input: &mut Input) -> Result<Particle, Fault> {
        input.array().map(Particle)
    }
}

impl Record for Address {
    const SECTION: Section = Section::Neurons;

    fn write(&self, out: &mut Vec<u8>) {
        put_address(out, self);
    }

    fn read(input: &mut Input) -> Result<Address, Fault> {
        input.address()
    }
}

impl Record for LinkRecord {
    const SECTION: Section = Section::Links;

    fn write(&self, out: &mut Vec<u8>) {
        for place in [self.neuron, self.from, self.to] {
            out.extend_from_slice(&place.to_be_bytes());
        }
    }

    fn read(input: &mut Input) -> Result<LinkRecord, Fault> {
        let [neuron, from, to] = [input.u32()?, input.u32()?, input.u32()?];
        Ok(LinkRecord { neuron, from, to })
    }
}

impl Record for u32 {
    const SECTION: Section = Section::Codes;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }

    fn read(input: &mut Input) -> Result<u32, Fault> {
        input.u32()
    }
}

impl Record for StakeRecord {
    const SECTION: Section = Section::Stakes;

    fn write(&self, out: &mut Vec<u8>) {
        put_address(out, &self.neuron);
        out.extend_from_slice(&self.stake.to_be_bytes());
    }

    fn read(input: &mut Input) -> Result<StakeRecord, Fault> {
        Ok(StakeRecord { neuron: input.address()?, stake: input.u64()? })
    }
}

impl Record for Vec<u8> {
    const SECTION: Section = Section::Rounds;

    fn write(&self, out: &mut Vec<u8>) {
        let length = u32::try_from(self.len()).expect("a round's record is small");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(self);
    }

    fn read(input: &mut Input) -> Result<Vec<u8>, Fault> {
        let length = input.u32()?;
        input.bytes(length as usize)
    }
}
