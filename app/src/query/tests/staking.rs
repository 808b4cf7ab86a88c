//! Staking before it is there: validators of the genesis, everything else empty.

use super::*;
use cyber_proto::cosmos::distribution::v1beta1 as distribution;
use cyber_proto::cosmos::staking::v1beta1 as staking;

fn path(method: &str) -> String {
    format!("/cosmos.staking.v1beta1.Query/{method}")
}

#[test]
fn nobody_delegates_and_clients_hear_it_without_an_error() {
    let world = World::new();
    let delegator_addr = world.chain.wallet("alice").bech32();
    let request = staking::QueryDelegatorDelegationsRequest {
        delegator_addr: delegator_addr.clone(),
        pagination: None,
    };
    let found: staking::QueryDelegatorDelegationsResponse =
        world.ask(&path("DelegatorDelegations"), &request).expect("nobody");
    assert!(found.delegation_responses.is_empty());
    assert!(found.pagination.expect("a last page").next_key.is_empty());
    let bad = staking::QueryDelegatorDelegationsRequest {
        delegator_addr: "bostrom1nope".into(),
        pagination: None,
    };
    let answer: Result<staking::QueryDelegatorDelegationsResponse, _> =
        world.ask(&path("DelegatorDelegations"), &bad);
    assert_eq!(answer.expect_err("no address").0, 18);
    let request =
        distribution::QueryDelegationTotalRewardsRequest { delegator_address: delegator_addr };
    let rewards: distribution::QueryDelegationTotalRewardsResponse = world
        .ask("/cosmos.distribution.v1beta1.Query/DelegationTotalRewards", &request)
        .expect("none");
    assert!(rewards.rewards.is_empty() && rewards.total.is_empty());
    let pool: staking::QueryPoolResponse =
        world.ask(&path("Pool"), &staking::QueryPoolRequest {}).expect("zeros");
    assert_eq!(pool.pool.expect("a pool").bonded_tokens, "0");
    let params: staking::QueryParamsResponse =
        world.ask(&path("Params"), &staking::QueryParamsRequest {}).expect("parameters");
    assert_eq!(params.params.expect("them").bond_denom, world.chain.options.denom);
}

#[test]
fn validators_are_those_of_the_genesis() {
    let world = World::new();
    let ask = |status: &str| {
        let request =
            staking::QueryValidatorsRequest { status: status.into(), ..Default::default() };
        world.ask::<staking::QueryValidatorsResponse>(&path("Validators"), &request)
    };
    let all = ask("").expect("all").validators;
    let known = params::state::validators(&*world.chain.snapshot());
    assert_eq!(all.len(), known.len());
    assert_eq!(ask("BOND_STATUS_BONDED").expect("the same").validators, all);
    assert!(ask("BOND_STATUS_UNBONDED").expect("none").validators.is_empty());
    assert_eq!(ask("nonsense").expect_err("no status").0, 18);
    for validator in &all {
        let request =
            staking::QueryValidatorRequest { validator_addr: validator.operator_address.clone() };
        let found: staking::QueryValidatorResponse =
            world.ask(&path("Validator"), &request).expect("by its operator");
        assert_eq!(found.validator.as_ref(), Some(validator));
        let request = staking::QueryDelegationRequest {
            delegator_addr: world.chain.wallet("alice").bech32(),
            validator_addr: validator.operator_address.clone(),
        };
        let none: Result<staking::QueryDelegationResponse, _> =
            world.ask(&path("Delegation"), &request);
        let (code, space, log) = none.expect_err("nobody delegates");
        assert_eq!((code, space.as_str()), (22, "sdk"));
        assert!(log.contains("rpc error: code = NotFound") && log.contains("key not found"));
    }
}
