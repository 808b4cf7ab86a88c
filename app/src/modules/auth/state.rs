//! Keys and values of the `acc` store, as in SDK 0.47.
//!
//! | key | value |
//! |---|---|
//! | `0x00` | parameters, protobuf |
//! | `0x01` address | account, protobuf `Any` |
//! | `accountNumber` number (8, big endian) | address |
//! | `globalAccountNumber` | next number, protobuf `UInt64Value` |

use super::{Account, MODULE_ACCOUNTS};
use crate::modules::params;
use crate::state::{codec, prefix_end, Read, StoreName, Write};
use crate::types::Address;
use cyber_proto::cosmos::auth::v1beta1 as proto;
use cyber_proto::Any;
use prost::Message;

const ACC: StoreName = StoreName::Acc;
const PARAMS: &[u8] = &[0x00];
pub const ACCOUNTS: u8 = 0x01;
const NUMBERS: &[u8] = b"accountNumber";
const NEXT_NUMBER: &[u8] = b"globalAccountNumber";
const BASE_ACCOUNT: &str = "/cosmos.auth.v1beta1.BaseAccount";
const MODULE_ACCOUNT: &str = "/cosmos.auth.v1beta1.ModuleAccount";

/// The account of an address.
pub fn account(state: &dyn Read, address: &Address) -> Option<Account> {
    state.get(ACC, &codec::key(ACCOUNTS, &[address.as_bytes()])).map(from_any)
}

fn from_any(bytes: &[u8]) -> Account {
    let any: Any = codec::record("account", bytes);
    match any.type_url.as_str() {
        MODULE_ACCOUNT => Account::Module(codec::record("module account", &any.value)),
        _ => Account::Base(codec::record("account", &any.value)),
    }
}

/// The account as wallets read it.
pub fn to_any(account: &Account) -> Any {
    let (url, value) = match account {
        Account::Base(base) => (BASE_ACCOUNT, base.encode_to_vec()),
        Account::Module(module) => (MODULE_ACCOUNT, module.encode_to_vec()),
    };
    Any { type_url: url.to_owned(), value }
}

/// Writes an account under its address, which it names.
pub fn set_account(state: &mut dyn Write, address: &Address, account: &Account) {
    let key = codec::key(ACCOUNTS, &[address.as_bytes()]);
    state.set(ACC, key, to_any(account).encode_to_vec());
}

/// Makes a new account with the next number.
pub fn create_account(state: &mut dyn Write, address: &Address) -> Account {
    let base = new_base(state, address);
    let account = Account::Base(base);
    set_account(state, address, &account);
    account
}

/// The account of a module, made when it is first needed.
pub fn module_account(state: &mut dyn Write, name: &str) -> Address {
    let address = Address::of_module(name);
    if account(state, &address).is_none() {
        let known = MODULE_ACCOUNTS.iter().find(|(known, _)| *known == name);
        let (_, permissions) = known.expect("only modules of the table have accounts");
        let base = new_base(state, &address);
        let module = proto::ModuleAccount {
            base_account: Some(base),
            name: name.to_owned(),
            permissions: permissions.iter().map(|text| (*text).to_owned()).collect(),
        };
        set_account(state, &address, &Account::Module(module));
    }
    address
}

fn new_base(state: &mut dyn Write, address: &Address) -> proto::BaseAccount {
    let number = next_number(state);
    set_next_number(state, number.checked_add(1).expect("fewer than 2^64 accounts"));
    set_number(state, number, address);
    proto::BaseAccount {
        address: address.to_bech32(&params::state::chain(state).address_prefix),
        pub_key: None,
        account_number: number,
        sequence: 0,
    }
}

/// The number the next account gets.
pub fn next_number(state: &dyn Read) -> u64 {
    let bytes = state.get(ACC, NEXT_NUMBER);
    bytes.map_or(0, |bytes| codec::record::<UInt64Value>("next account number", bytes).value)
}

pub fn set_next_number(state: &mut dyn Write, number: u64) {
    let value = UInt64Value { value: number }.encode_to_vec();
    state.set(ACC, NEXT_NUMBER.to_vec(), value);
}

/// The address with an account number.
pub fn address_by_number(state: &dyn Read, number: u64) -> Option<Address> {
    let key = [NUMBERS, &number.to_be_bytes()].concat();
    state.get(ACC, &key).map(|bytes| Address::new(bytes).expect("stored addresses are good"))
}

pub fn set_number(state: &mut dyn Write, number: u64, address: &Address) {
    let key = [NUMBERS, &number.to_be_bytes()].concat();
    state.set(ACC, key, address.as_bytes().to_vec());
}

/// Visits the accounts in the order of their addresses, from an address on.
pub fn scan_accounts(state: &dyn Read, from: &[u8], visit: &mut dyn FnMut(&[u8], Account) -> bool) {
    let from = codec::key(ACCOUNTS, &[from]);
    let end = prefix_end(&[ACCOUNTS]);
    state.scan(ACC, &from, end.as_deref(), &mut |key, value| visit(&key[1..], from_any(value)));
}

/// The module's parameters.
pub fn params(state: &dyn Read) -> proto::Params {
    let bytes = state.get(ACC, PARAMS).expect("genesis wrote the auth parameters");
    codec::record("auth parameters", bytes)
}

pub fn set_params(state: &mut dyn Write, params: &proto::Params) {
    state.set(ACC, PARAMS.to_vec(), params.encode_to_vec());
}

/// `google.protobuf.UInt64Value`.
#[derive(Clone, PartialEq, prost::Message)]
struct UInt64Value {
    #[prost(uint64, tag = "1")]
    value: u64,
}
