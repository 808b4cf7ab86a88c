//! `cyberd send`: tokens from one account to another.

use super::context::Context;
use super::deliver::{deliver, sign_only, size, WriteFlags};
use super::output::Answer;
use crate::client::transaction::{Draft, FeeChoice};
use crate::client::{Client, Failure};
use crate::types::{Amount, Coin};
use serde_json::json;

/// Send tokens to an account
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd send bostrom1… 100boot
  cyberd send bob 100boot --from alice            bob is a key of this home
  cyberd send bob 100boot --fee 1000boot --memo 'for the coffee'
  cyberd send bob 100boot --dry-run --output json")]
pub struct Send {
    /// An address, or the name of a key of this home
    to: String,
    /// Amount and denomination, such as 100boot
    amount: String,
    /// Pay this fee [default: what the node asks for]
    #[arg(long, value_name = "COIN")]
    fee: Option<String>,
    /// A note of up to 256 bytes that everybody can read
    #[arg(long, default_value = "", hide_default_value = true)]
    memo: String,
    #[command(flatten)]
    write: WriteFlags,
}

/// Runs `cyberd send`.
pub fn run(context: &Context, send: &Send) -> Result<Answer, Failure> {
    let coin = parse_coin(&send.amount)?;
    let to = context.address(&send.to)?;
    let signer = send.write.signer(context)?;
    let from = signer.address().to_bech32(context.prefix());
    let client = context.client()?;
    context.block_on(async {
        let fee = fee(&client, send.fee.as_deref()).await?;
        let draft = Draft::send(&from, &to, &coin).paying(fee).memo(&send.memo);
        if send.write.dry_run {
            return dry_run(&client, &from, &to, &coin, &draft).await;
        }
        if send.write.sign_only {
            return sign_only(context, &client, &signer, &draft).await;
        }
        let delivered = deliver(context, &client, &signer, &draft, send.write.no_wait).await?;
        let mut json = delivered.json();
        json["from"] = json!(from);
        json["to"] = json!(to);
        json["amount"] = json!(coin.to_string());
        let text = match &delivered.included {
            Some(included) => format!("sent {coin} to {to} in block {}", included.height),
            None => format!("handed over: {coin} to {to}"),
        };
        Ok(Answer::new(json, text))
    })
}

fn parse_coin(text: &str) -> Result<Coin, Failure> {
    let failure = |reason: String| {
        Failure::usage(format!("'{text}' is no amount: {reason}"))
            .hint("an amount is a whole number with its denomination, such as 100boot")
    };
    let coin = Coin::parse(text).map_err(|error| failure(error.to_string()))?;
    match coin.amount.0 {
        0 => Err(failure("it is zero".to_owned())),
        _ => Ok(coin),
    }
}

/// The fee: as told, else by the node's minimum gas price.
pub async fn fee(client: &Client, told: Option<&str>) -> Result<FeeChoice, Failure> {
    if let Some(text) = told {
        let coin = Coin::parse(text);
        let coin = coin.map_err(|error| Failure::usage(format!("--fee {text}: {error}")))?;
        return Ok(if coin.amount.0 == 0 { FeeChoice::None } else { FeeChoice::Coin(coin) });
    }
    match client.minimum_gas_price().await {
        Ok(text) => FeeChoice::of_minimum(&text),
        // A node without that query says at the door what it wants.
        Err(failure) if failure.code == "sdk/6" => Ok(FeeChoice::None),
        Err(failure) => Err(failure),
    }
}

async fn dry_run(
    client: &Client,
    from: &str,
    to: &str,
    coin: &Coin,
    draft: &Draft,
) -> Result<Answer, Failure> {
    let sized = size(client, from, draft).await?;
    let held = client.balance(from, &coin.denom).await?.amount.0;
    let fee = sized.fee.as_ref().filter(|fee| fee.denom == coin.denom);
    let needed = coin.amount.0.saturating_add(fee.map_or(0, |fee| fee.amount.0));
    let left = held.checked_sub(needed).map(|left| Coin::new(&coin.denom, Amount(left)));
    let refusal = left
        .is_none()
        .then(|| format!("sdk/5: needs {needed}{}, has {held}{}", coin.denom, coin.denom));
    let fee_text = sized.fee.as_ref().map_or("no fee".to_owned(), |fee| format!("fee {fee}"));
    let mut text = format!(
        "{coin} from {from} to {to}, {fee_text}, gas limit {}, {} bytes\n",
        sized.gas_limit, sized.bytes
    );
    text.push_str(&match (&left, &refusal) {
        (Some(left), _) => format!("{left} left; nothing was sent"),
        (None, Some(reason)) => format!("would be refused: {reason}"),
        (None, None) => String::new(),
    });
    let json = json!({
        "dry_run": true,
        "from": from,
        "to": to,
        "amount": coin.to_string(),
        "fee": sized.fee.as_ref().map(ToString::to_string),
        "gas_limit": sized.gas_limit,
        "bytes": sized.bytes,
        "left": left.map(|left| left.to_string()),
        "would_be_refused": refusal,
    });
    Ok(Answer::new(json, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_a_number_and_a_denomination() {
        assert_eq!(parse_coin("100boot").expect("coin").to_string(), "100boot");
        for bad in ["100", "boot", "0boot", "-1boot", "1.5boot", ""] {
            let failure = parse_coin(bad).expect_err(bad);
            assert!(failure.hint.is_some() && failure.message.contains(bad), "{bad}");
        }
    }
}
