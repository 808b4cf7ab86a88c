//! Who signs: account, key, sequence, signature.

use super::{Context, Mode};
use crate::error::{code, Refusal};
use crate::modules::auth;
use crate::state::{Event, Overlay};
use crate::tx::{Mode as SignerMode, PublicKey, SignerInfo, Tx};
use crate::types::Address;
use base64::{engine::general_purpose::STANDARD, Engine};
use cyber_proto::cosmos::crypto::multisig::v1beta1::MultiSignature;
use prost::Message;

/// Checks every signer, then advances their sequences.
pub fn check(state: &mut Overlay<'_>, tx: &Tx, context: &Context<'_>) -> Result<(), Refusal> {
    let signers = tx.signers();
    let mut accounts = Vec::with_capacity(signers.len());
    for (index, signer) in signers.iter().enumerate() {
        accounts.push(account_and_key(state, tx, context, (index, signer))?);
    }
    let given = || accounts.iter().flat_map(|(_, key)| key);
    if given().any(PublicKey::has_ed25519) {
        let text = "ED25519 public keys are unsupported: invalid pubkey";
        return Err(Refusal::new(code::INVALID_PUBKEY, text));
    }
    let keys: usize = given().map(PublicKey::key_count).sum();
    let signature_limit = context.rules.auth.tx_sig_limit;
    if keys as u64 > signature_limit {
        let text = format!(
            "signatures: {keys}, limit: {signature_limit}: maximum number of signatures exceeded"
        );
        return Err(Refusal::new(code::TOO_MANY_SIGNATURES, text));
    }
    for (index, (account, key)) in accounts.iter().enumerate() {
        let base = account.base();
        let stated = tx.signer_infos.get(index).map_or(0, |info| info.sequence);
        if stated != base.sequence {
            let text = format!(
                "account sequence mismatch, expected {}, got {stated}: incorrect account sequence",
                base.sequence
            );
            return Err(Refusal::new(code::WRONG_SEQUENCE, text));
        }
        if let (Some(key), true) = (key, context.mode != Mode::Simulate) {
            (context.verify)(tx, index, key, base.account_number)?;
        }
    }
    for (index, (signer, (mut account, key))) in signers.iter().zip(accounts).enumerate() {
        let base = account.base();
        state.tell(|| {
            let sequence = format!("{}/{}", base.address, base.sequence);
            Event::new("tx").with("acc_seq", sequence)
        });
        auth::advance(state, signer, &mut account, || key.map(|key| key.to_any()));
        if let Some(signature) = tx.signatures.get(index) {
            emit_signature(state, tx.signer_infos.get(index), signature);
        }
    }
    Ok(())
}

/// One event for a signature; for a multisig's, one for each inner one and one for all.
fn emit_signature(state: &mut Overlay<'_>, info: Option<&SignerInfo>, signature: &[u8]) {
    let multi = info.is_some_and(|info| matches!(info.mode, SignerMode::Multi { .. }));
    let inner = multi.then(|| MultiSignature::decode(signature).ok()).flatten();
    let inner = inner.map(|inner| inner.signatures).unwrap_or_default();
    for signature in inner.iter().map(Vec::as_slice).chain([signature]) {
        state.tell(|| Event::new("tx").with("signature", STANDARD.encode(signature)));
    }
}

/// The signer's account and the key to check with: the stored one, else the one given. Only a
/// simulation may do without.
fn account_and_key(
    state: &Overlay<'_>,
    tx: &Tx,
    context: &Context<'_>,
    (index, signer): (usize, &Address),
) -> Result<(auth::Account, Option<PublicKey>), Refusal> {
    let given = tx.signer_infos.get(index).and_then(|info| info.public_key.as_ref());
    let text = || signer.to_bech32(&context.rules.chain.address_prefix);
    if given.is_some_and(|key| key.address() != *signer) {
        let text = format!(
            "pubKey does not match signer address {} with signer index: {index}: invalid pubkey",
            text()
        );
        return Err(Refusal::new(code::INVALID_PUBKEY, text));
    }
    let Some(account) = auth::state::account(state, signer) else {
        let text = format!("account {} does not exist: unknown address", text());
        return Err(Refusal::new(code::UNKNOWN_ADDRESS, text));
    };
    let stored = account.base().pub_key.as_ref();
    let stored = stored.map(|any| PublicKey::from_any(any).expect("stored keys are good"));
    let key = stored.or_else(|| given.cloned());
    if key.is_none() && context.mode != Mode::Simulate {
        let text = "pubkey on account is not set: invalid pubkey";
        return Err(Refusal::new(code::INVALID_PUBKEY, text));
    }
    Ok((account, key))
}
