//! `cyberd link`: one particle linked to others, then what the first one leads to now.

use super::context::Context;
use super::deliver::{deliver, sign_only, size, Delivered, WriteFlags};
use super::output::{grouped, Answer};
use super::words::{Named, Words};
use crate::client::queries::{RankList, RankPage};
use crate::client::transaction::{Draft, MAX_BYTES};
use crate::client::{Client, Failure};
use crate::types::{Decimal, Particle};
use cyber_proto::cosmos::base::abci::v1beta1::TxMsgData;
use cyber_proto::cyber::bandwidth::v1beta1 as bandwidth;
use cyber_proto::cyber::graph::v1beta1::MsgCyberlinkResponse;
use prost::Message;
use serde_json::{json, Value};

/// Link a particle to others and show what it leads to now
///
/// FROM and TO are texts or CIDs. After its block the command answers with the ten best-ranked
/// particles that FROM leads to.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd link dog animal
  cyberd link dog animal pet 'best friend' --from alice
  cyberd link dog QmWATWQ7fVPP2EFGu71UkfnqhYXDYH566qy47CnJDgvs8u --dry-run
  cyberd link dog animal cat --skip-existing --output json
  cyberd link dog animal --sign-only > tx; another program sends it")]
pub struct Link {
    /// Where the links start: a text or a CID
    #[arg(value_name = "FROM")]
    start: String,
    /// Where they lead: texts or CIDs
    #[arg(required = true, value_name = "TO")]
    ends: Vec<String>,
    /// Pass over links that are there already instead of failing
    #[arg(long)]
    skip_existing: bool,
    /// Take FROM and TO as texts even where they look like CIDs
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    write: WriteFlags,
}

/// The links of one call.
struct Links {
    from: Named,
    to: Vec<Named>,
}

impl Links {
    fn parse(link: &Link) -> Result<Links, Failure> {
        let from = Named::parse(&link.start, link.text)?;
        let to = link.ends.iter().map(|end| Named::parse(end, link.text));
        Ok(Links { from, to: to.collect::<Result<_, _>>()? })
    }

    fn named(&self) -> Vec<&Named> {
        std::iter::once(&self.from).chain(&self.to).collect()
    }

    fn draft(&self, neuron: &str, per_message: usize, skip_existing: bool) -> Draft {
        let from = self.from.particle.to_cid();
        let ends: Vec<String> = self.to.iter().map(|to| to.particle.to_cid()).collect();
        ends.chunks(per_message).fold(Draft::default(), |draft, ends| {
            let links = ends.iter().map(|to| (from.as_str(), to.as_str()));
            draft.cyberlinks(neuron, links, skip_existing)
        })
    }
}

/// Runs `cyberd link`.
pub fn run(context: &Context, link: &Link) -> Result<Answer, Failure> {
    let links = Links::parse(link)?;
    let signer = link.write.signer(context)?;
    let neuron = signer.address().to_bech32(context.prefix());
    let client = context.client()?;
    context.block_on(async {
        let params = client.bandwidth_params().await?;
        let per_message = usize::try_from(params.max_links_per_message).unwrap_or(1).max(1);
        let draft = links.draft(&neuron, per_message, link.skip_existing);
        let bytes = size(&client, &neuron, &draft).await?.bytes;
        if bytes > MAX_BYTES as u64 {
            let text = format!("{bytes} bytes, a transaction has at most {MAX_BYTES}");
            return Err(Failure::usage(text).hint("cyberd import FILE sends any number of links"));
        }
        let mut words = Words::open(context)?;
        if link.write.dry_run {
            let plan = Plan::make(&client, &links, &neuron, link.skip_existing).await?;
            return Ok(plan.answer(&links, &words, &params, bytes));
        }
        if link.write.sign_only {
            let answer = sign_only(context, &client, &signer, &draft).await?;
            words.learn(&links.named())?;
            return Ok(answer);
        }
        let delivered = deliver(context, &client, &signer, &draft, link.write.no_wait).await?;
        words.learn(&links.named())?;
        after(&client, &links, &words, &delivered).await
    })
}

/// What was done, and what FROM leads to now.
async fn after(
    client: &Client,
    links: &Links,
    words: &Words,
    delivered: &Delivered,
) -> Result<Answer, Failure> {
    let mut json = delivered.json();
    json["from"] = words.json_named(&links.from);
    json["to"] = links.to.iter().map(|to| words.json_named(to)).collect();
    let from = words.show_named(&links.from);
    let Some(included) = &delivered.included else {
        let text = format!("handed over: {} link(s) from {from}", links.to.len());
        return Ok(Answer::new(json, text));
    };
    let (accepted, skipped) = counted(&included.data).unwrap_or((links.to.len() as u32, 0));
    json["accepted"] = json!(accepted);
    json["skipped"] = json!(skipped);
    let ends: Vec<String> = links.to.iter().map(|to| words.show_named(to)).collect();
    let mut text = format!("linked {from} → {} in block {}", ends.join(", "), included.height);
    if skipped > 0 {
        text.push_str(&format!(" ({accepted} new, {skipped} there before)"));
    }
    let first = RankPage { page: 0, per_page: 10 };
    let ranked = client.ranked(RankList::Search(links.from.particle), first).await?;
    json["leads_to"] = words.ranked_json(&ranked, 1);
    text.push_str(&format!("\n{from} leads to {} particle(s):\n", ranked.total));
    text.push_str(&words.ranked_text(&ranked, 1));
    Ok(Answer::new(json, text))
}

/// Links accepted and passed over, as the chain counted them (only with `--skip-existing`).
fn counted(data: &[u8]) -> Option<(u32, u32)> {
    let responses = TxMsgData::decode(data).ok()?.msg_responses;
    let mut sums = (0, 0);
    for response in responses {
        let one = MsgCyberlinkResponse::decode(response.value.as_slice()).ok()?;
        sums = (sums.0 + one.accepted, sums.1 + one.skipped);
    }
    (sums != (0, 0)).then_some(sums)
}

/// What the chain would do, found out without sending.
struct Plan {
    /// For each link: `new`, `exists`, `same` (an earlier one of this call) or `self`.
    states: Vec<&'static str>,
    skip_existing: bool,
    price: Decimal,
    remained: u64,
    max: u64,
}

impl Plan {
    async fn make(
        client: &Client,
        links: &Links,
        neuron: &str,
        skip_existing: bool,
    ) -> Result<Plan, Failure> {
        let mut states = Vec::new();
        for (at, to) in links.to.iter().enumerate() {
            let earlier = links.to[..at].iter().any(|one| one.particle == to.particle);
            let (from, to) = (&links.from.particle, &to.particle);
            states.push(match () {
                () if from == to => "self",
                () if earlier => "same",
                () if client.link_exists(Some(neuron), from, to).await? => "exists",
                () => "new",
            });
        }
        let bandwidth = client.neuron_bandwidth(neuron).await?;
        Ok(Plan {
            states,
            skip_existing,
            price: client.price().await?,
            remained: bandwidth.remained_value,
            max: bandwidth.max_value,
        })
    }

    fn count(&self, state: &str) -> u64 {
        self.states.iter().filter(|one| **one == state).count() as u64
    }

    /// The first reason for which the chain would refuse.
    fn refusal(&self, cost: u64) -> Option<String> {
        let here = |state: &str| self.states.iter().position(|one| *one == state);
        if let Some(at) = here("self") {
            return Some(format!("graph/4: link {at} leads to where it starts"));
        }
        let old = here("exists").or_else(|| here("same")).filter(|_| !self.skip_existing);
        if let Some(at) = old {
            return Some(format!("graph/2: link {at} is there already"));
        }
        match () {
            () if self.max == 0 => Some("graph/8: the neuron has no stake".to_owned()),
            () if cost > self.remained => {
                Some(format!("bandwidth/2: needs {cost}, has {}", self.remained))
            }
            () => None,
        }
    }

    fn answer(
        &self,
        links: &Links,
        words: &Words,
        params: &bandwidth::Params,
        bytes: u64,
    ) -> Answer {
        let passed_over = self.count("exists") + self.count("same");
        let raw = params.tx_cost
            + params.byte_cost * bytes
            + params.link_cost * self.count("new")
            + params.skip_cost * passed_over;
        let cost = charge(raw, self.price);
        let refusal = self.refusal(cost);
        let from: &Particle = &links.from.particle;
        let row = |(to, state): (&Named, &&str)| {
            let to = to.particle.to_cid();
            json!({"from": from.to_cid(), "to": to, "state": state})
        };
        let rows: Vec<Value> = links.to.iter().zip(&self.states).map(row).collect();
        let left = self.remained.saturating_sub(cost);
        let json = json!({
            "dry_run": true,
            "links": rows,
            "bytes": bytes,
            "raw_units": raw,
            "price": self.price,
            "cost": cost,
            "bandwidth": {"remained": self.remained, "max": self.max, "left": left},
            "would_be_refused": refusal,
        });
        let mut text = String::new();
        for (to, state) in links.to.iter().zip(&self.states) {
            let (from, to) = (words.show_named(&links.from), words.show_named(to));
            text.push_str(&format!("{from} → {to}: {state}\n"));
        }
        text.push_str(&format!(
            "cost {} of {} units of bandwidth ({} raw at price {}), {} left\n",
            grouped(cost),
            grouped(self.remained),
            grouped(raw),
            self.price,
            grouped(left)
        ));
        text.push_str(&match refusal {
            Some(reason) => format!("would be refused: {reason}"),
            None => format!("would add {} link(s); nothing was sent", self.count("new")),
        });
        Answer::new(json, text)
    }
}

/// Raw units at a price, in whole units, rounded up.
fn charge(raw: u64, price: Decimal) -> u64 {
    let atomics = u128::from(raw).saturating_mul(price.atomics());
    u64::try_from(atomics.div_ceil(Decimal::ONE_ATOMICS)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cyber_proto::Any;

    fn plan(states: &[&'static str], skip_existing: bool) -> Plan {
        let price = Decimal::parse("0.01").expect("price");
        Plan { states: states.to_vec(), skip_existing, price, remained: 50, max: 100 }
    }

    #[test]
    fn a_dry_run_names_the_reason_the_chain_would_give() {
        let refusal = |states: &[&'static str], skip, cost| plan(states, skip).refusal(cost);
        assert_eq!(refusal(&["new", "new"], false, 50), None);
        let has = |found: Option<String>, code: &str| found.is_some_and(|text| text.contains(code));
        assert!(has(refusal(&["new", "exists"], false, 1), "graph/2: link 1"));
        assert_eq!(refusal(&["new", "exists"], true, 1), None);
        assert!(has(refusal(&["self"], true, 1), "graph/4: link 0"));
        assert!(has(refusal(&["new", "same"], false, 1), "graph/2: link 1"));
        assert!(has(refusal(&["new"], false, 51), "bandwidth/2: needs 51, has 50"));
        let poor = Plan { max: 0, ..plan(&["new"], false) };
        assert!(has(poor.refusal(0), "graph/8"));
    }

    #[test]
    fn a_charge_is_raw_times_price_rounded_up() {
        let price = Decimal::parse("0.01").expect("price");
        assert_eq!(charge(1_300, price), 13);
        assert_eq!(charge(1_301, price), 14);
        assert_eq!(charge(0, price), 0);
    }

    #[test]
    fn accepted_and_skipped_are_summed_over_messages() {
        let response = |accepted, skipped| Any {
            type_url: "/cyber.graph.v1beta1.MsgCyberlinkResponse".to_owned(),
            value: MsgCyberlinkResponse { accepted, skipped }.encode_to_vec(),
        };
        let msg_responses = vec![response(2, 1), response(0, 3)];
        let data = TxMsgData { msg_responses, ..TxMsgData::default() }.encode_to_vec();
        assert_eq!(counted(&data), Some((2, 4)));
        let plain = TxMsgData { msg_responses: vec![response(0, 0)], ..TxMsgData::default() };
        assert_eq!(counted(&plain.encode_to_vec()), None);
    }
}
