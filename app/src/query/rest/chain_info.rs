//! What Keplr and its kin want to know of a chain before they speak to it, as their
//! `experimentalSuggestChain` takes it.

use serde_json::{json, Value};

/// The index of the coin type in wallets' key paths: that of the Cosmos Hub.
const COIN_TYPE: u32 = 118;

/// A chain, and where a node of it is reached.
#[derive(Clone, Debug)]
pub struct ChainInfo {
    pub chain_id: String,
    /// What addresses begin with, such as `bostrom`.
    pub prefix: String,
    /// The denomination, such as `boot`.
    pub denom: String,
    /// The node's least price of a unit of gas in it, a decimal.
    pub gas_price: String,
    /// `http://HOST:PORT` of CometBFT's RPC and of REST.
    pub rpc: String,
    pub rest: String,
}

impl ChainInfo {
    /// As JSON.
    pub fn json(&self) -> Value {
        let ChainInfo { chain_id, prefix, denom, gas_price, rpc, rest } = self;
        let short = match gas_price.split_once('.') {
            Some((whole, part)) if part.trim_end_matches('0').is_empty() => whole,
            Some(_) => gas_price.trim_end_matches('0'),
            None => gas_price,
        };
        let price: Value = serde_json::from_str(short).unwrap_or_else(|_| json!(0));
        // A price of text is a price of nothing to wallets.
        let price = if price.is_number() { price } else { json!(0) };
        let symbol = denom.to_uppercase();
        let currency = json!({ "coinDenom": symbol, "coinMinimalDenom": denom, "coinDecimals": 0 });
        let mut fee = currency.clone();
        fee["gasPriceStep"] = json!({ "low": price, "average": price, "high": price });
        let of = |kind: &str| format!("{prefix}{kind}");
        json!({
            "chainId": chain_id,
            "chainName": chain_id,
            "rpc": rpc,
            "rest": rest,
            "bip44": { "coinType": COIN_TYPE },
            "bech32Config": {
                "bech32PrefixAccAddr": of(""),
                "bech32PrefixAccPub": of("pub"),
                "bech32PrefixValAddr": of("valoper"),
                "bech32PrefixValPub": of("valoperpub"),
                "bech32PrefixConsAddr": of("valcons"),
                "bech32PrefixConsPub": of("valconspub"),
            },
            "currencies": [currency],
            "feeCurrencies": [fee],
            "stakeCurrency": currency,
            "features": [],
        })
    }
}
