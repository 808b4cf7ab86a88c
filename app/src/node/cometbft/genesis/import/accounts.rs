//! `auth`, `vesting` and `bank` of the source: accounts of every kind become plain and module
//! accounts, addresses get the chain's prefix, coins stay what they are.

use super::report::{coins, counted, SectionReport};
use super::source::{add, address, coin, fault, list, number, text, Sums};
use crate::engine::genesis::bulk::AccountRecord;
use crate::error::Fault;
use crate::modules::auth::genesis::GenesisKey;
use crate::types::{Address, Amount, Coin};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Accounts and balances as they are taken over.
#[derive(Default)]
pub struct Ledger {
    accounts: Vec<AccountRecord>,
    balances: BTreeMap<Address, Sums>,
    /// The address of each account number of the source.
    pub numbers: BTreeMap<u64, Address>,
    /// The prefix most addresses have, unless the user named one.
    pub prefix: String,
}

/// How the account inside an account is reached.
const BASES: [&str; 4] = [
    "",
    "/base_account",
    "/base_vesting_account/base_account",
    "/base_vesting_account/base_vesting_account/base_account",
];

impl Ledger {
    /// Reads both sections.
    ///
    /// # Errors
    /// [`Fault::Genesis`]: what the source itself contradicts, with its place.
    pub fn read(
        document: &Value,
        prefix: Option<&str>,
        reports: &mut Vec<SectionReport>,
    ) -> Result<Ledger, Fault> {
        let mut ledger = Ledger { prefix: main_prefix(document, prefix), ..Ledger::default() };
        let mut auth = SectionReport::new("auth and vesting");
        ledger.read_accounts(document, &mut auth)?;
        reports.push(auth);
        let mut bank = SectionReport::new("bank");
        ledger.read_balances(document, &mut bank)?;
        reports.push(bank);
        Ok(ledger)
    }

    fn read_accounts(&mut self, document: &Value, report: &mut SectionReport) -> Result<(), Fault> {
        let mut kinds = BTreeMap::new();
        let (mut vesting, mut other_prefix, mut left) = (Sums::new(), 0u64, BTreeMap::new());
        let (mut keys, mut dropped_keys) = (0u64, BTreeMap::new());
        let mut seen = BTreeSet::new();
        for (index, value) in list(document, "/app_state/auth/accounts").iter().enumerate() {
            let place = format!("app_state.auth.accounts[{index}]");
            let kind = text(value, "@type").rsplit('.').next().unwrap_or_default().to_owned();
            let bases = BASES.iter().filter_map(|pointer| value.pointer(pointer));
            let Some(base) = bases.clone().find(|base| base["address"].is_string()) else {
                *left.entry(format!("{kind} without a base account")).or_default() += 1;
                continue;
            };
            let Some((prefix, own)) = address(text(base, "address")) else {
                *left.entry(format!("{kind} with an address of another length")).or_default() += 1;
                continue;
            };
            if !seen.insert(own) {
                let text = text(base, "address");
                return fault(format!("{place}.address: {text} stands twice: once is right"));
            }
            other_prefix += u64::from(prefix != self.prefix);
            let locked = list(value, "/base_vesting_account/original_vesting");
            for (at, locked) in locked.iter().enumerate() {
                let place = format!("{place}.base_vesting_account.original_vesting[{at}]");
                let (denom, amount) = coin(locked, &place)?;
                add(&mut vesting, &denom, amount, &place)?;
            }
            let key = key_of(&base["pub_key"], &own, &mut dropped_keys);
            keys += u64::from(key.is_some());
            let number = account_number(base, &place)?;
            self.numbers.insert(number, own);
            let module = module_of(&kind, value);
            *kinds.entry(kind).or_default() += 1;
            let sequence = super::source::number(base, "sequence", &place)?;
            let coins = Vec::new();
            self.accounts.push(AccountRecord {
                address: own,
                number,
                sequence,
                key,
                module,
                coins,
            });
        }
        let total = self.accounts.len();
        report.took(format!("{total} accounts with their sequences ({})", counted(&kinds)));
        report.took(format!("{keys} public keys"));
        if !dropped_keys.is_empty() {
            report.left(format!("public keys: {}", counted(&dropped_keys)));
        }
        if !vesting.is_empty() {
            report.changed(format!(
                "vesting accounts became plain ones: this chain locks no coins; {} vest there and \
                 can be sent here",
                coins(&vesting)
            ));
        }
        if other_prefix > 0 {
            report.changed(format!(
                "{other_prefix} addresses got the prefix '{}'; their bytes are the same",
                self.prefix
            ));
        }
        if !left.is_empty() {
            report.left(format!("accounts: {}", counted(&left)));
        }
        self.number(report);
        Ok(())
    }

    /// Numbers that stand twice give way to the order of the file.
    fn number(&mut self, report: &mut SectionReport) {
        match self.numbers.len() == self.accounts.len() {
            true => self.accounts.sort_by_key(|account| account.number),
            false => {
                report.changed("account numbers stand twice: all are numbered in their order");
                for (number, account) in (0..).zip(&mut self.accounts) {
                    account.number = number;
                }
            }
        }
    }

    fn read_balances(&mut self, document: &Value, report: &mut SectionReport) -> Result<(), Fault> {
        let (mut left, mut left_count, mut merged) = (Sums::new(), 0u64, 0u64);
        let mut sums = Sums::new();
        for (index, value) in list(document, "/app_state/bank/balances").iter().enumerate() {
            let place = format!("app_state.bank.balances[{index}]");
            let holder = address(text(value, "address"));
            left_count += u64::from(holder.is_none());
            if let Some((_, holder)) = holder {
                merged += u64::from(self.balances.contains_key(&holder));
            }
            for (at, value) in list(value, "/coins").iter().enumerate() {
                let place = format!("{place}.coins[{at}]");
                let (denom, amount) = coin(value, &place)?;
                match holder {
                    Some((_, holder)) => {
                        add(self.balances.entry(holder).or_default(), &denom, amount, &place)?;
                        add(&mut sums, &denom, amount, &place)?;
                    }
                    None => add(&mut left, &denom, amount, &place)?,
                }
            }
        }
        let holders = self.balances.len();
        report.took(format!(
            "{holders} balances in {} denominations: {}",
            sums.len(),
            coins(&sums)
        ));
        if merged > 0 {
            report.changed(format!(
                "{merged} balances belong to an address that another one has under another \
                 prefix: they were added up"
            ));
        }
        if left_count > 0 {
            report.left(format!(
                "{left_count} balances of addresses that are not of 20 or 32 bytes: {}",
                coins(&left)
            ));
        }
        Ok(())
    }

    /// What an address holds.
    pub fn holding(&self, holder: &Address, denom: &str) -> u128 {
        let sums = self.balances.get(holder);
        sums.and_then(|sums| sums.get(denom)).copied().unwrap_or(0)
    }

    /// Moves coins between two holders, as far as they are there; what was moved.
    pub fn transfer(&mut self, from: &Address, to: &Address, denom: &str, amount: u128) -> u128 {
        let amount = amount.min(self.holding(from, denom));
        if amount > 0 && from != to {
            if let Some(left) = self.balances.get_mut(from).and_then(|sums| sums.get_mut(denom)) {
                *left -= amount;
            }
            *self.balances.entry(*to).or_default().entry(denom.to_owned()).or_default() += amount;
        }
        amount
    }

    /// Divides every amount of a denomination, rounding down; the sum of what was lost.
    pub fn divide(&mut self, denom: &str, by: u128) -> u128 {
        let amounts = self.balances.values_mut().filter_map(|sums| sums.get_mut(denom));
        amounts.fold(0, |lost, amount| {
            let rest = *amount % by;
            *amount /= by;
            lost + rest
        })
    }

    /// The sums of all balances.
    pub fn supply(&self) -> Sums {
        let mut sums = Sums::new();
        for (denom, amount) in self.balances.values().flatten() {
            let sum = sums.entry(denom.clone()).or_default();
            *sum = sum.checked_add(*amount).expect("summed when it was read");
        }
        sums.retain(|_, amount| *amount > 0);
        sums
    }

    /// The accounts with what they hold; holders without an account get one, as the chain does.
    pub fn into_records(self) -> Vec<AccountRecord> {
        let Ledger { mut accounts, mut balances, .. } = self;
        let held = |sums: Sums| -> Vec<Coin> {
            let coins = sums.into_iter().filter(|(_, amount)| *amount > 0);
            coins.map(|(denom, amount)| Coin { denom, amount: Amount(amount) }).collect()
        };
        for account in &mut accounts {
            if let Some(sums) = balances.remove(&account.address) {
                account.coins = held(sums);
            }
        }
        let mut next = accounts.iter().map(|account| account.number + 1).max().unwrap_or(0);
        for (address, sums) in balances {
            let (number, coins) = (next, held(sums));
            let (sequence, key, module) = (0, None, None);
            if !coins.is_empty() {
                accounts.push(AccountRecord { address, number, sequence, key, module, coins });
                next += 1;
            }
        }
        accounts
    }
}

/// The number of an account, which has one after it.
fn account_number(base: &Value, place: &str) -> Result<u64, Fault> {
    match number(base, "account_number", place)? {
        u64::MAX => fault(format!("{place}.account_number: {}: one below it is right", u64::MAX)),
        number => Ok(number),
    }
}

/// The name and permissions of a module's account.
fn module_of(kind: &str, value: &Value) -> Option<(String, Vec<String>)> {
    let permissions = list(value, "/permissions").iter();
    let permissions = permissions.filter_map(|text| text.as_str().map(str::to_owned));
    (kind == "ModuleAccount").then(|| (text(value, "name").to_owned(), permissions.collect()))
}

/// The prefix of most accounts.
fn main_prefix(document: &Value, wanted: Option<&str>) -> String {
    if let Some(wanted) = wanted {
        return wanted.to_owned();
    }
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let accounts = list(document, "/app_state/auth/accounts").iter();
    let bases = accounts.filter_map(|account| {
        BASES.iter().find_map(|pointer| account.pointer(pointer)?["address"].as_str())
    });
    let balances = list(document, "/app_state/bank/balances").iter();
    for text in bases.chain(balances.filter_map(|balance| balance["address"].as_str())) {
        if let Some((prefix, _)) = address(text) {
            *counts.entry(prefix).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or_else(|| "bostrom".to_owned(), |(prefix, _)| prefix)
}

/// The key of an account, if it is one that can sign here and is its own.
fn key_of(
    value: &Value,
    own: &Address,
    dropped: &mut BTreeMap<String, u64>,
) -> Option<cyber_proto::Any> {
    if value.is_null() {
        return None;
    }
    let mut drop = |why: &str| {
        *dropped.entry(why.to_owned()).or_default() += 1;
        None
    };
    let Ok(key) = serde_json::from_value::<GenesisKey>(value.clone()) else {
        return drop("of a kind that this chain does not know");
    };
    match key.to_key() {
        Ok(key) if key.address() == *own => Some(key.to_any()),
        Ok(_) => drop("that belong to another address"),
        Err(_) => drop("that cannot be read"),
    }
}
