//! The accounts of a run, as the chain knows them: honest ones, and those of a flood.

use super::flood::Flood;
use super::genesis;
use super::http::{number, Connection};
use super::make::{Maker, Sender, Work};
use super::session::Session;
use crate::client::Failure;
use base64::prelude::{Engine as _, BASE64_STANDARD};
use cyber_proto::cosmos::auth::v1beta1 as auth;
use prost::Message;
use serde_json::{json, Value};
use std::ops::Range;

impl Session<'_> {
    /// Accounts of the load genesis by their numbers.
    ///
    /// # Errors
    /// When the chain does not know one of them.
    pub async fn look_up(&self, numbers: Range<u32>) -> Result<Vec<Sender>, Failure> {
        use rayon::prelude::*;
        let prefix = &self.options.prefix;
        let mut senders: Vec<Sender> =
            numbers.into_par_iter().map(|number| Sender::new(number, prefix)).collect();
        let mut connection = Connection::open(&self.authority).await?;
        for part in senders.chunks_mut(500) {
            let addresses = part.iter().map(|sender| sender.address.as_str());
            let known = connection.accounts(addresses).await?;
            for (sender, account) in part.iter_mut().zip(known) {
                let (number, sequence) = account.ok_or_else(|| unknown(sender, &self.chain_id))?;
                (sender.account_number, sender.sequence) = (number, sequence);
            }
        }
        Ok(senders)
    }

    /// The bad transactions of a flood: of single links, whatever the honest ones do, for those
    /// need bandwidth. Accounts that could pay are taken from the honest ones.
    pub async fn flood(&self, senders: &mut Vec<Sender>) -> Result<Option<Vec<Vec<u8>>>, Failure> {
        const PARTICLES: u32 = 1_000;
        let Some(kind) = self.options.flood else { return Ok(None) };
        let prefix = &self.options.prefix;
        let maker = Maker::new(&self.chain_id, prefix, Work::Links(1), PARTICLES)?;
        let mut own = match kind {
            Flood::Unpayable => {
                let last = genesis::NEURONS + genesis::BEGGARS;
                self.look_up(genesis::NEURONS..last).await?
            }
            _ => senders.split_off(senders.len() - senders.len() / 10),
        };
        Ok(Some(kind.transactions(&maker, &mut own)))
    }
}

fn unknown(sender: &Sender, chain_id: &str) -> Failure {
    let text = format!(
        "the chain {chain_id} has no account {} (number {} of the load's)",
        sender.address, sender.number
    );
    Failure::usage(text).hint(
        "cyberd dev --genesis load makes a chain that has them; without --node, cyberd load starts \
         one itself; cyberd load --list-accounts shows whom to fund elsewhere",
    )
}

impl Connection {
    /// Number and sequence of accounts; `None` for those that do not exist.
    async fn accounts(
        &mut self,
        addresses: impl Iterator<Item = &str>,
    ) -> Result<Vec<Option<(u64, u64)>>, Failure> {
        let request = |address: &str| {
            let request = auth::QueryAccountRequest { address: address.to_owned() };
            let data = hex::encode(request.encode_to_vec());
            let path = "/cosmos.auth.v1beta1.Query/Account";
            json!({ "jsonrpc": "2.0", "id": 0, "method": "abci_query",
                "params": { "path": path, "data": data } })
        };
        let batch: Vec<_> = addresses.map(request).collect();
        let body = serde_json::to_vec(&batch).expect("JSON");
        let answers = self.post(body.into()).await?;
        let unreadable = |what: &str| Failure::local(format!("answers about accounts: {what}"));
        let answers: Vec<Value> =
            serde_json::from_slice(&answers).map_err(|error| unreadable(&error.to_string()))?;
        let account = |answer: &Value| {
            let response = &answer["result"]["response"];
            if !answer["error"].is_null() {
                return Err(unreadable(&answer["error"].to_string()));
            }
            if number(&response["code"]) != 0 {
                return Ok(None);
            }
            let bytes = BASE64_STANDARD.decode(response["value"].as_str().unwrap_or_default());
            let bytes = bytes.map_err(|error| unreadable(&error.to_string()))?;
            let read = auth::QueryAccountResponse::decode(bytes.as_slice()).ok();
            let any = read.and_then(|answer| answer.account);
            let account = any.and_then(|any| auth::BaseAccount::decode(any.value.as_slice()).ok());
            let account = account.ok_or_else(|| unreadable("no plain account"))?;
            Ok(Some((account.account_number, account.sequence)))
        };
        answers.iter().map(account).collect()
    }
}
