//! What all commands that write have in common: who signs, sending, waiting, telling.

use super::context::Context;
use super::output::Answer;
use crate::client::keys::{KeyInfo, Secret};
use crate::client::rpc::Included;
use crate::client::submit::{Sender, Sent};
use crate::client::transaction::{Draft, Signing, LIFETIME_BLOCKS};
use crate::client::{Client, Failure, SigningKey};
use crate::types::{Address, Coin};
use base64::prelude::{Engine, BASE64_STANDARD};
use serde_json::{json, Value};

/// Flags of every command that writes.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct WriteFlags {
    /// The key that signs [default: `from` of client.toml, else the only key there is]
    #[arg(long, value_name = "KEY")]
    pub from: Option<String>,
    /// Return when the node has taken the transaction, without waiting for its block
    #[arg(long)]
    pub no_wait: bool,
    /// Show what it would cost and do, send nothing; needs no password
    #[arg(long, conflicts_with = "no_wait")]
    pub dry_run: bool,
    /// Print the signed transaction, send nothing; any node of the chain takes it for 60 blocks
    #[arg(long, conflicts_with_all = ["no_wait", "dry_run"])]
    pub sign_only: bool,
}

impl WriteFlags {
    /// The key that signs: by name, by address, by the settings, or the only one.
    pub fn signer(&self, context: &Context) -> Result<KeyInfo, Failure> {
        let store = context.keys();
        let name = self.from.as_deref().or(context.settings.from.as_deref());
        if let Some(name) = name {
            let by_address = Address::parse(name, context.prefix()).ok();
            let found = by_address.map(|address| store.by_address(&address)).transpose()?;
            return Ok(match found.flatten() {
                Some(info) => info,
                None => store.show(name)?,
            });
        }
        let mut all = store.list()?;
        match all.len() {
            1 => Ok(all.remove(0)),
            0 => Err(Failure::usage(format!("no keys in {}", context.home.display()))
                .hint("cyberd keys add NAME makes one; --home and --keyring choose another store")),
            _ => {
                let names: Vec<&str> = all.iter().map(|info| info.name.as_str()).collect();
                Err(Failure::usage("which key signs? give --from KEY")
                    .hint(format!("there are: {}", names.join(", "))))
            }
        }
    }
}

/// What became of it, as far as was waited for.
pub struct Delivered {
    pub sent: Sent,
    /// `None` with `--no-wait`.
    pub included: Option<Included>,
}

impl Delivered {
    /// The part of an answer that all writing commands share.
    pub fn json(&self) -> Value {
        let signed = &self.sent.signed;
        let mut value = json!({
            "tx_hash": signed.hash_text(),
            "sequence": signed.sequence,
            "timeout_height": signed.timeout_height,
            "fee": signed.fee.as_ref().map(ToString::to_string),
        });
        if let Some(included) = &self.included {
            value["height"] = json!(included.height);
            value["code"] = json!(included.code);
            value["gas_wanted"] = json!(included.gas_wanted);
            value["gas_used"] = json!(included.gas_used);
        }
        value
    }
}

/// Opens the key, sends, tells the hash, waits unless told not to.
pub async fn deliver(
    context: &Context,
    client: &Client,
    signer: &KeyInfo,
    draft: &Draft,
    no_wait: bool,
) -> Result<Delivered, Failure> {
    let key = context.keys().open(&signer.name, &mut context.password())?;
    let sender = Sender { client, home: Some(&context.home), prefix: context.prefix(), key: &key };
    let sent = sender.send(draft, &mut |text| context.talk(text)).await?;
    context.talk(&format!("transaction {}", sent.signed.hash_text()));
    if no_wait {
        return Ok(Delivered { sent, included: None });
    }
    let included = sent.wait(client).await?;
    context.talk(&format!("block {}, code {}", included.height, included.code));
    Ok(Delivered { sent, included: Some(included) })
}

/// Signs and prints: the bytes in base64, as `POST /cosmos/tx/v1beta1/txs` takes them.
pub async fn sign_only(
    context: &Context,
    client: &Client,
    signer: &KeyInfo,
    draft: &Draft,
) -> Result<Answer, Failure> {
    let key = context.keys().open(&signer.name, &mut context.password())?;
    let home = Some(context.home.as_path());
    let signed = Sender { client, home, prefix: context.prefix(), key: &key }.sign(draft).await?;
    let bytes = BASE64_STANDARD.encode(&signed.bytes);
    let json = json!({
        "tx_bytes": bytes,
        "tx_hash": signed.hash_text(),
        "sequence": signed.sequence,
        "timeout_height": signed.timeout_height,
        "gas_limit": signed.gas_limit,
        "fee": signed.fee.as_ref().map(ToString::to_string),
    });
    Ok(Answer::new(json, bytes))
}

/// What a transaction will look like.
pub struct Sized {
    pub bytes: u64,
    pub gas_limit: u64,
    pub fee: Option<Coin>,
}

/// How big a draft comes out for an account, without its key: a signature has one length.
pub async fn size(client: &Client, address: &str, draft: &Draft) -> Result<Sized, Failure> {
    let status = client.status().await?;
    let account = client.account(address).await?;
    let secret = Secret::of_bytes(&[1; 32]).expect("a number below the order of the curve");
    let key = SigningKey::of_secret("sizing", secret);
    let signing = Signing {
        key: &key,
        chain_id: &status.chain_id,
        account_number: 0,
        sequence: account.map(|account| account.sequence).unwrap_or_default(),
        timeout_height: status.height + LIFETIME_BLOCKS,
    };
    let signed = draft.sign(&signing)?;
    Ok(Sized { bytes: signed.bytes.len() as u64, gas_limit: signed.gas_limit, fee: signed.fee })
}
