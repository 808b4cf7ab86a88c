//! The chain's queries in Rust types, one function each: path, request, what matters of the
//! answer. Numbers of other software's wire (decimals as text) become ours here.

use super::failure::{Exit, Failure};
use super::rpc::Client;
use crate::types::{Address, Coin, Decimal, Particle};
use cyber_proto::cosmos::auth::v1beta1 as auth;
use cyber_proto::cosmos::bank::v1beta1 as bank;
use cyber_proto::cosmos::base::node::v1beta1 as node;
use cyber_proto::cosmos::base::query::v1beta1 as page;
use cyber_proto::cyber::bandwidth::v1beta1 as bandwidth;
use cyber_proto::cyber::graph::v1beta1 as graph;
use cyber_proto::cyber::rank::v1beta1 as rank;
use cyber_proto::cyberd::v1 as own;
use prost::{Message, Name};

/// An account as the signer needs it: the committed sequence, not the pending one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    pub number: u64,
    pub sequence: u64,
}

/// One page of particles by rank, highest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// CIDv0 and rank, in units of 10^-15.
    pub particles: Vec<(Particle, u64)>,
    pub total: u32,
}

/// Which page of a ranked list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankPage {
    /// From 0.
    pub page: u32,
    pub per_page: u32,
}

/// Which list of particles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RankList {
    /// What a particle leads to.
    Search(Particle),
    /// What leads to a particle.
    Backlinks(Particle),
    /// All particles.
    Top,
}

impl Client {
    /// The account of an address; `None` when nothing was ever sent to it.
    pub async fn account(&self, address: &str) -> Result<Option<Account>, Failure> {
        let request = auth::QueryAccountRequest { address: address.to_owned() };
        let answer = self.query("/cosmos.auth.v1beta1.Query/Account", &request).await;
        let answer: auth::QueryAccountResponse = match answer {
            Err(failure) if failure.code == "sdk/22" => return Ok(None),
            other => other?,
        };
        let any = answer.account.ok_or_else(|| unreadable("an account without content"))?;
        base_account(&any).map(Some)
    }

    /// What an account holds of one denomination.
    pub async fn balance(&self, address: &str, denom: &str) -> Result<Coin, Failure> {
        let request =
            bank::QueryBalanceRequest { address: address.to_owned(), denom: denom.to_owned() };
        let answer: bank::QueryBalanceResponse =
            self.query("/cosmos.bank.v1beta1.Query/Balance", &request).await?;
        coin(answer.balance)
    }

    /// Everything an account holds.
    pub async fn balances(&self, address: &str) -> Result<Vec<Coin>, Failure> {
        let request =
            bank::QueryAllBalancesRequest { address: address.to_owned(), pagination: whole() };
        let answer: bank::QueryAllBalancesResponse =
            self.query("/cosmos.bank.v1beta1.Query/AllBalances", &request).await?;
        answer.balances.into_iter().map(|one| coin(Some(one))).collect()
    }

    /// What exists of every denomination.
    pub async fn supply(&self) -> Result<Vec<Coin>, Failure> {
        let request = bank::QueryTotalSupplyRequest { pagination: whole() };
        let answer: bank::QueryTotalSupplyResponse =
            self.query("/cosmos.bank.v1beta1.Query/TotalSupply", &request).await?;
        answer.supply.into_iter().map(|one| coin(Some(one))).collect()
    }

    /// How many links and particles there are.
    pub async fn graph_stats(&self) -> Result<graph::QueryGraphStatsResponse, Failure> {
        let request = graph::QueryGraphStatsRequest {};
        self.query("/cyber.graph.v1beta1.Query/GraphStats", &request).await
    }

    /// The rank of a particle, in units of 10^-15.
    pub async fn rank(&self, particle: &Particle) -> Result<u64, Failure> {
        let request = rank::QueryRankRequest { particle: particle.to_cid() };
        let answer: rank::QueryRankResponse =
            self.query("/cyber.rank.v1beta1.Query/Rank", &request).await?;
        Ok(answer.rank)
    }

    /// One page of particles by rank.
    pub async fn ranked(&self, list: RankList, at: RankPage) -> Result<Ranked, Failure> {
        let pagination = Some(rank::PageRequest { page: at.page, per_page: at.per_page });
        let of = |particle: Particle| rank::QuerySearchRequest {
            particle: particle.to_cid(),
            pagination,
        };
        let answer: rank::QuerySearchResponse = match list {
            RankList::Search(particle) => {
                self.query("/cyber.rank.v1beta1.Query/Search", &of(particle)).await?
            }
            RankList::Backlinks(particle) => {
                self.query("/cyber.rank.v1beta1.Query/Backlinks", &of(particle)).await?
            }
            RankList::Top => {
                let request = rank::QueryTopRequest { pagination };
                self.query("/cyber.rank.v1beta1.Query/Top", &request).await?
            }
        };
        let total = answer.pagination.map(|page| page.total).unwrap_or_default();
        let read = |one: rank::RankedParticle| match Particle::parse(&one.particle) {
            Ok(particle) => Ok((particle, one.rank)),
            Err(error) => Err(unreadable(&error.to_string())),
        };
        let particles = answer.result.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Ranked { particles, total })
    }

    /// Whether a neuron (any neuron, when none is given) made a link. Particles the chain does
    /// not know have no links.
    pub async fn link_exists(
        &self,
        neuron: Option<&str>,
        from: &Particle,
        to: &Particle,
    ) -> Result<bool, Failure> {
        let (from, to) = (from.to_cid(), to.to_cid());
        let answer: Result<rank::QueryLinkExistResponse, Failure> = match neuron {
            Some(address) => {
                let address = address.to_owned();
                let request = rank::QueryIsLinkExistRequest { from, to, address };
                self.query("/cyber.rank.v1beta1.Query/IsLinkExist", &request).await
            }
            None => {
                let request = rank::QueryIsAnyLinkExistRequest { from, to };
                self.query("/cyber.rank.v1beta1.Query/IsAnyLinkExist", &request).await
            }
        };
        match answer {
            Ok(answer) => Ok(answer.exist),
            Err(failure) if is_unknown_particle(&failure) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Which links a neuron made, at most 1,000 at once, in their order.
    pub async fn links_exist(
        &self,
        neuron: &str,
        links: &[(&Particle, &Particle)],
    ) -> Result<Vec<bool>, Failure> {
        let link = |(from, to): &(&Particle, &Particle)| graph::Link {
            from: from.to_cid(),
            to: to.to_cid(),
        };
        let links = links.iter().map(link).collect();
        let request = own::QueryExistsRequest { neuron: neuron.to_owned(), links };
        let answer: own::QueryExistsResponse =
            self.query("/cyberd.v1.Query/Exists", &request).await?;
        Ok(answer.exists)
    }

    /// The weight of all a neuron's links.
    pub async fn karma(&self, neuron: &str) -> Result<u64, Failure> {
        let request = rank::QueryKarmaRequest { neuron: neuron.to_owned() };
        let answer: rank::QueryKarmaResponse =
            self.query("/cyber.rank.v1beta1.Query/Karma", &request).await?;
        Ok(answer.karma)
    }

    /// How much a particle's rank tells, in units of 10^-15.
    pub async fn entropy(&self, particle: &Particle) -> Result<u64, Failure> {
        let request = rank::QueryNegentropyPartilceRequest { particle: particle.to_cid() };
        let answer: rank::QueryNegentropyParticleResponse =
            self.query("/cyber.rank.v1beta1.Query/ParticleNegentropy", &request).await?;
        Ok(answer.entropy)
    }

    /// The order in the whole graph, in bits.
    pub async fn negentropy(&self) -> Result<u64, Failure> {
        let answer: rank::QueryNegentropyResponse = self
            .query("/cyber.rank.v1beta1.Query/Negentropy", &rank::QueryNegentropyRequest {})
            .await?;
        Ok(answer.negentropy)
    }

    /// The parameters of the rank.
    pub async fn rank_params(&self) -> Result<rank::Params, Failure> {
        let request = rank::QueryParamsRequest {};
        let answer: rank::QueryParamsResponse =
            self.query("/cyber.rank.v1beta1.Query/Params", &request).await?;
        answer.params.ok_or_else(|| unreadable("rank parameters without content"))
    }

    /// The parameters of bandwidth.
    pub async fn bandwidth_params(&self) -> Result<bandwidth::Params, Failure> {
        let request = bandwidth::QueryParamsRequest {};
        let answer: bandwidth::QueryParamsResponse =
            self.query("/cyber.bandwidth.v1beta1.Query/Params", &request).await?;
        answer.params.ok_or_else(|| unreadable("bandwidth parameters without content"))
    }

    /// What a neuron may still write, settled at the last height.
    pub async fn neuron_bandwidth(
        &self,
        neuron: &str,
    ) -> Result<bandwidth::NeuronBandwidth, Failure> {
        let request = bandwidth::QueryNeuronBandwidthRequest { neuron: neuron.to_owned() };
        let answer: bandwidth::QueryNeuronBandwidthResponse =
            self.query("/cyber.bandwidth.v1beta1.Query/NeuronBandwidth", &request).await?;
        answer.neuron_bandwidth.ok_or_else(|| unreadable("bandwidth without content"))
    }

    /// The price of a raw unit.
    pub async fn price(&self) -> Result<Decimal, Failure> {
        let answer: bandwidth::QueryPriceResponse = self
            .query("/cyber.bandwidth.v1beta1.Query/Price", &bandwidth::QueryPriceRequest {})
            .await?;
        decimal(&answer.price)
    }

    /// How much of the network's bandwidth is in use.
    pub async fn load(&self) -> Result<Decimal, Failure> {
        let answer: bandwidth::QueryLoadResponse = self
            .query("/cyber.bandwidth.v1beta1.Query/Load", &bandwidth::QueryLoadRequest {})
            .await?;
        decimal(&answer.load)
    }

    /// The records of the newest rounds, newest first.
    pub async fn rounds(&self, limit: u64) -> Result<Vec<own::Round>, Failure> {
        let pagination = Some(page::PageRequest { limit, reverse: true, ..Default::default() });
        let request = own::QueryRoundsRequest { pagination };
        let answer: own::QueryRoundsResponse =
            self.query("/cyberd.v1.Query/Rounds", &request).await?;
        Ok(answer.rounds)
    }

    /// The ranks a round changed, from `offset` on; the second value is how many there are.
    pub async fn deltas(
        &self,
        round: u64,
        offset: u64,
        limit: u64,
    ) -> Result<(Vec<own::RankDelta>, u64), Failure> {
        let pagination =
            Some(page::PageRequest { offset, limit, count_total: true, ..Default::default() });
        let request = own::QueryDeltasRequest { round, pagination };
        let answer: own::QueryDeltasResponse =
            self.query("/cyberd.v1.Query/Deltas", &request).await?;
        let total = answer.pagination.map(|page| page.total).unwrap_or_default();
        Ok((answer.deltas, total))
    }

    /// Where a particle's rank comes from, the `limit` largest shares of links first.
    pub async fn explain(
        &self,
        particle: &Particle,
        limit: u64,
    ) -> Result<own::QueryExplainResponse, Failure> {
        let pagination = Some(page::PageRequest { limit, ..Default::default() });
        let request = own::QueryExplainRequest { particle: particle.to_cid(), pagination };
        self.query("/cyberd.v1.Query/Explain", &request).await
    }

    /// The roots of all stores at a height, 0 for the latest.
    pub async fn roots(&self, height: u64) -> Result<own::QueryRootsResponse, Failure> {
        self.query("/cyberd.v1.Query/Roots", &own::QueryRootsRequest { height }).await
    }

    /// The gas price below which the node refuses, as the text it states (`0.01boot`).
    pub async fn minimum_gas_price(&self) -> Result<String, Failure> {
        let answer: node::ConfigResponse =
            self.query("/cosmos.base.node.v1beta1.Service/Config", &node::ConfigRequest {}).await?;
        Ok(answer.minimum_gas_price)
    }
}

/// Whether the chain says it does not know the particle.
pub fn is_unknown_particle(failure: &Failure) -> bool {
    failure.message.contains("particle not found")
}

/// An address in the account's own spelling, checked before it is sent anywhere.
pub fn check_address(text: &str, prefix: &str) -> Result<Address, Failure> {
    Address::parse(text, prefix).map_err(|error| Failure::usage(format!("'{text}': {error}")))
}

fn base_account(any: &cyber_proto::Any) -> Result<Account, Failure> {
    let base = match any.type_url.as_str() {
        url if url == auth::BaseAccount::type_url() => {
            auth::BaseAccount::decode(any.value.as_slice()).map(Some)
        }
        url if url == auth::ModuleAccount::type_url() => {
            auth::ModuleAccount::decode(any.value.as_slice()).map(|module| module.base_account)
        }
        other => return Err(unreadable(&format!("an account of the type {other}"))),
    };
    let base = base.map_err(|error| unreadable(&error.to_string()))?;
    let base = base.ok_or_else(|| unreadable("a module account without content"))?;
    Ok(Account { number: base.account_number, sequence: base.sequence })
}

fn coin(wire: Option<cyber_proto::cosmos::base::v1beta1::Coin>) -> Result<Coin, Failure> {
    let wire = wire.ok_or_else(|| unreadable("a balance without content"))?;
    let amount = crate::types::coin::parse_amount(&wire.amount)
        .map_err(|error| unreadable(&error.to_string()))?;
    Ok(Coin::new(&wire.denom, amount))
}

/// Decimals travel as the integer of their 18 decimals.
fn decimal(atomics: &str) -> Result<Decimal, Failure> {
    let digits = !atomics.is_empty() && atomics.bytes().all(|b| b.is_ascii_digit());
    let number = atomics.parse().ok().filter(|_| digits);
    number.map(Decimal::from_atomics).ok_or_else(|| unreadable(&format!("'{atomics}'")))
}

/// As many rows as the node gives at once.
fn whole() -> Option<page::PageRequest> {
    Some(page::PageRequest { limit: 1000, ..Default::default() })
}

fn unreadable(what: &str) -> Failure {
    Failure::new(Exit::Error, "answer", format!("the node's answer cannot be read: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_from_both_types_the_chain_has() {
        let base = auth::BaseAccount { account_number: 7, sequence: 3, ..Default::default() };
        let module = auth::ModuleAccount { base_account: Some(base.clone()), ..Default::default() };
        let any = |type_url: String, value: Vec<u8>| cyber_proto::Any { type_url, value };
        let plain = any(auth::BaseAccount::type_url(), base.encode_to_vec());
        let wrapped = any(auth::ModuleAccount::type_url(), module.encode_to_vec());
        let expected = Account { number: 7, sequence: 3 };
        assert_eq!(base_account(&plain).expect("plain"), expected);
        assert_eq!(base_account(&wrapped).expect("wrapped"), expected);
        assert!(base_account(&any("/other".to_owned(), Vec::new())).is_err());
    }

    #[test]
    fn decimals_of_the_wire_are_atomics() {
        let price = decimal("10000000000000000").expect("decimal");
        assert_eq!(price.to_string(), "0.010000000000000000");
        assert!(decimal("").is_err() && decimal("0.01").is_err() && decimal("-1").is_err());
    }
}
