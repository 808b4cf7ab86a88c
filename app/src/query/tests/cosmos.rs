//! Accounts, balances and our own rounds and roots: values, pages from both ends, refusals.

use super::*;
use crate::modules::auth;
use cyber_proto::cosmos::auth::v1beta1 as auth_proto;
use cyber_proto::cosmos::bank::v1beta1 as bank_proto;
use cyber_proto::cosmos::base::query::v1beta1::{PageRequest, PageResponse};
use cyber_proto::cosmos::base::v1beta1::Coin as WireCoin;
use cyber_proto::cyberd::v1 as own_proto;
use cyber_proto::Any;

fn auth(method: &str) -> String {
    format!("/cosmos.auth.v1beta1.Query/{method}")
}

fn bank(method: &str) -> String {
    format!("/cosmos.bank.v1beta1.Query/{method}")
}

fn coin(denom: &str, amount: u64) -> WireCoin {
    WireCoin { denom: denom.into(), amount: amount.to_string() }
}

const NOBODY: &str = "bostrom1vna02ukxvtqa5v7703rpx8y649dl32q0r6ujf0";
const SHORT: &str = "decoding bech32 failed: invalid bech32 string length 3";

#[test]
fn an_account_is_answered_and_an_unknown_one_is_not_found() {
    let world = World::new();
    let of = |address: &str| {
        let request = auth_proto::QueryAccountRequest { address: address.into() };
        world.ask::<auth_proto::QueryAccountResponse>(&auth("Account"), &request)
    };
    let alice = world.chain.wallet("alice");
    let any = of(&alice.bech32()).expect("known").account.expect("always");
    assert_eq!(any.type_url, "/cosmos.auth.v1beta1.BaseAccount");
    let account = auth_proto::BaseAccount::decode(&*any.value).expect("a base account");
    assert_eq!((account.address, account.sequence), (alice.bech32(), 2));
    assert_eq!(account.account_number, alice.account_number);
    assert_eq!(account.pub_key.expect("signed").type_url, "/cosmos.crypto.secp256k1.PubKey");
    let log =
        format!("rpc error: code = NotFound desc = account {NOBODY} not found: key not found");
    assert_eq!(of(NOBODY), Err(refused(22, "sdk", log)));
    assert_eq!(of("xyz"), Err(refused(18, "sdk", format!("{SHORT}: invalid request"))));
    let log = "rpc error: code = InvalidArgument desc = Address cannot be empty: invalid request";
    assert_eq!(of(""), Err(refused(18, "sdk", log)));

    let request = auth_proto::QueryAccountInfoRequest { address: alice.bech32() };
    let info: auth_proto::QueryAccountInfoResponse =
        world.ask(&auth("AccountInfo"), &request).expect("known");
    assert_eq!(info.info.expect("always").sequence, 2);
    let id = |account_id| {
        #[allow(deprecated, reason = "the old field is left alone")]
        let request = auth_proto::QueryAccountAddressByIdRequest { id: 0, account_id };
        world.ask::<auth_proto::QueryAccountAddressByIdResponse>(
            &auth("AccountAddressByID"),
            &request,
        )
    };
    assert_eq!(id(alice.account_number).expect("known").account_address, alice.bech32());
    assert_eq!(id(9999).expect_err("unknown").0, 22);
}

#[test]
fn addresses_modules_and_parameters_are_answered() {
    let world = World::new();
    let prefix: auth_proto::Bech32PrefixResponse =
        world.ask(&auth("Bech32Prefix"), &auth_proto::Bech32PrefixRequest {}).expect("ok");
    assert_eq!(prefix.bech32_prefix, "bostrom");
    let alice = world.chain.wallet("alice");
    let address_bytes = alice.address().as_bytes().to_vec();
    let to_text = |address_bytes| {
        let request = auth_proto::AddressBytesToStringRequest { address_bytes };
        let path = auth("AddressBytesToString");
        world.ask::<auth_proto::AddressBytesToStringResponse>(&path, &request)
    };
    assert_eq!(to_text(address_bytes.clone()).expect("ok").address_string, alice.bech32());
    let log = "empty address bytes is not allowed: invalid request";
    assert_eq!(to_text(Vec::new()), Err(refused(18, "sdk", log)));
    assert_eq!(to_text(vec![1; 7]).expect_err("odd").0, 18);
    let request = auth_proto::AddressStringToBytesRequest { address_string: alice.bech32() };
    let bytes: auth_proto::AddressStringToBytesResponse =
        world.ask(&auth("AddressStringToBytes"), &request).expect("ok");
    assert_eq!(bytes.address_bytes, address_bytes);

    let modules: auth_proto::QueryModuleAccountsResponse =
        world.ask(&auth("ModuleAccounts"), &auth_proto::QueryModuleAccountsRequest {}).expect("ok");
    assert_eq!(modules.accounts.len(), auth::MODULE_ACCOUNTS.len());
    let by_name = |name: &str| {
        let request = auth_proto::QueryModuleAccountByNameRequest { name: name.into() };
        let path = auth("ModuleAccountByName");
        world.ask::<auth_proto::QueryModuleAccountByNameResponse>(&path, &request)
    };
    let any = by_name("fee_collector").expect("known").account.expect("always");
    let account = auth_proto::ModuleAccount::decode(&*any.value).expect("a module account");
    assert_eq!(account.name, "fee_collector");
    assert_eq!(by_name("nobody").expect_err("unknown").0, 22);
    let params: auth_proto::QueryParamsResponse =
        world.ask(&auth("Params"), &auth_proto::QueryParamsRequest {}).expect("ok");
    assert_eq!(params.params.expect("always").max_memo_characters, 256);
    let params: bank_proto::QueryParamsResponse =
        world.ask(&bank("Params"), &bank_proto::QueryParamsRequest {}).expect("ok");
    assert!(params.params.expect("always").default_send_enabled);
}

#[test]
fn balances_and_supply_are_answered_even_where_they_are_zero() {
    let world = World::new();
    let carol = world.chain.wallet("carol").bech32();
    let balance = |address: &str, denom: &str| {
        let (address, denom) = (address.into(), denom.into());
        let request = bank_proto::QueryBalanceRequest { address, denom };
        world.ask::<bank_proto::QueryBalanceResponse>(&bank("Balance"), &request)
    };
    assert_eq!(balance(&carol, "boot").expect("ok").balance, Some(coin("boot", 2_001_000)));
    assert_eq!(balance(&carol, "hydrogen").expect("ok").balance, Some(coin("hydrogen", 0)));
    assert_eq!(balance(NOBODY, "boot").expect("ok").balance, Some(coin("boot", 0)));
    let words = |words: &str| {
        let log = format!("rpc error: code = InvalidArgument desc = {words}: invalid request");
        Err(refused(18, "sdk", log))
    };
    assert_eq!(balance("", "boot"), words("address cannot be empty"));
    assert_eq!(balance(&carol, ""), words("invalid denom"));
    assert_eq!(balance("xyz", "boot"), words(&format!("invalid address: {SHORT}")));

    let request = bank_proto::QueryAllBalancesRequest { address: carol.clone(), pagination: None };
    let all: bank_proto::QueryAllBalancesResponse =
        world.ask(&bank("AllBalances"), &request).expect("ok");
    assert_eq!(all.balances, [coin("boot", 2_001_000)]);
    assert_eq!(all.pagination, Some(PageResponse { next_key: Vec::new(), total: 1 }));
    let request =
        bank_proto::QuerySpendableBalancesRequest { address: carol.clone(), pagination: None };
    let spendable: bank_proto::QuerySpendableBalancesResponse =
        world.ask(&bank("SpendableBalances"), &request).expect("ok");
    assert_eq!(spendable.balances, all.balances);
    let request =
        bank_proto::QuerySpendableBalanceByDenomRequest { address: carol, denom: "boot".into() };
    let one: bank_proto::QuerySpendableBalanceByDenomResponse =
        world.ask(&bank("SpendableBalanceByDenom"), &request).expect("ok");
    assert_eq!(one.balance, Some(coin("boot", 2_001_000)));

    let request = bank_proto::QueryTotalSupplyRequest { pagination: Some(PageRequest::default()) };
    let supply: bank_proto::QueryTotalSupplyResponse =
        world.ask(&bank("TotalSupply"), &request).expect("ok");
    assert_eq!(supply.supply, [coin("boot", 70_002_000_000)]);
    let of = |denom: &str| {
        let request = bank_proto::QuerySupplyOfRequest { denom: denom.into() };
        world.ask::<bank_proto::QuerySupplyOfResponse>(&bank("SupplyOf"), &request)
    };
    assert_eq!(of("boot").expect("ok").amount, Some(coin("boot", 70_002_000_000)));
    assert_eq!(of("hydrogen").expect("ok").amount, Some(coin("hydrogen", 0)));
}

#[test]
fn denominations_and_their_owners_are_answered() {
    let world = World::new();
    let metadata = |denom: &str| {
        let request = bank_proto::QueryDenomMetadataRequest { denom: denom.into() };
        world.ask::<bank_proto::QueryDenomMetadataResponse>(&bank("DenomMetadata"), &request)
    };
    assert_eq!(metadata("boot").expect("ok").metadata.expect("always").symbol, "BOOT");
    let log = "rpc error: code = NotFound desc = client metadata for denom gold: key not found";
    assert_eq!(metadata("gold"), Err(refused(22, "sdk", log)));
    let request = bank_proto::QueryDenomsMetadataRequest { pagination: None };
    let all: bank_proto::QueryDenomsMetadataResponse =
        world.ask(&bank("DenomsMetadata"), &request).expect("ok");
    assert_eq!(all.metadatas.len(), 1);
    let owners = |denom: &str, pagination| {
        let request = bank_proto::QueryDenomOwnersRequest { denom: denom.into(), pagination };
        world.ask::<bank_proto::QueryDenomOwnersResponse>(&bank("DenomOwners"), &request)
    };
    let all = owners("boot", None).expect("ok");
    // Alice, Bob, Carol, and the fee that was paid.
    assert_eq!((all.denom_owners.len(), all.pagination.expect("always").total), (4, 4));
    let sum: u64 = all
        .denom_owners
        .iter()
        .map(|owner| owner.balance.as_ref().expect("always").amount.parse::<u64>().expect("digits"))
        .sum();
    assert_eq!(sum, 70_002_000_000);
    assert_eq!(owners("gold", None).expect("ok").denom_owners, []);
    // A text that would begin in the middle of a key.
    assert_eq!(owners("boot\0\u{14}", None).expect_err("no denomination").0, 18);
    let request = bank_proto::QuerySendEnabledRequest { denoms: vec![], pagination: None };
    let enabled: bank_proto::QuerySendEnabledResponse =
        world.ask(&bank("SendEnabled"), &request).expect("ok");
    assert_eq!(enabled.send_enabled, []);
}

/// Walks all accounts by `next_key`.
fn walk(world: &World, limit: u64, reverse: bool) -> Vec<Any> {
    let (mut all, mut key) = (Vec::new(), Vec::new());
    loop {
        let pagination = PageRequest { key, limit, reverse, ..PageRequest::default() };
        let request = auth_proto::QueryAccountsRequest { pagination: Some(pagination) };
        let response: auth_proto::QueryAccountsResponse =
            world.ask(&auth("Accounts"), &request).expect("a page");
        assert!(response.accounts.len() as u64 <= limit);
        all.extend(response.accounts);
        key = response.pagination.expect("always").next_key;
        if key.is_empty() {
            return all;
        }
    }
}

#[test]
fn pages_by_key_and_by_offset_cover_everything_from_both_ends() {
    let world = World::new();
    let all = walk(&world, 1000, false);
    assert_eq!(all.len(), 4);
    let mut reversed = all.clone();
    reversed.reverse();
    for limit in 1..6 {
        assert_eq!(walk(&world, limit, false), all);
        assert_eq!(walk(&world, limit, true), reversed);
    }
    for (offset, limit, reverse) in [(0, 2, false), (1, 2, false), (3, 9, false), (1, 2, true)] {
        let count_total = true;
        let key = Vec::new();
        let pagination = PageRequest { key, offset, limit, count_total, reverse };
        let request = auth_proto::QueryAccountsRequest { pagination: Some(pagination) };
        let response: auth_proto::QueryAccountsResponse =
            world.ask(&auth("Accounts"), &request).expect("a page");
        let order = if reverse { &reversed } else { &all };
        let end = (offset + limit).min(4) as usize;
        assert_eq!(response.accounts, order[offset as usize..end]);
        let page = response.pagination.expect("always");
        assert_eq!((page.total, page.next_key.is_empty()), (4, end == 4));
    }
    let both = PageRequest { key: vec![1], offset: 1, ..PageRequest::default() };
    let request = auth_proto::QueryAccountsRequest { pagination: Some(both) };
    let error = world.ask::<auth_proto::QueryAccountsResponse>(&auth("Accounts"), &request);
    let log = "rpc error: code = Internal desc = paginate: invalid request, either offset or key \
               is expected, got both: unknown request";
    assert_eq!(error, Err(refused(6, "sdk", log)));
}

#[test]
fn rounds_and_roots_are_answered() {
    let mut world = World::new();
    world.chain.run_to(Height(32));
    let rounds = |pagination: PageRequest| {
        let request = own_proto::QueryRoundsRequest { pagination: Some(pagination) };
        world.ask::<own_proto::QueryRoundsResponse>("/cyberd.v1.Query/Rounds", &request)
    };
    let all = rounds(PageRequest::default()).expect("ok");
    let numbers: Vec<u64> = all.rounds.iter().map(|round| round.round).collect();
    assert_eq!((&numbers[..], all.pagination.expect("always").total), (&[1, 2, 3, 4, 5][..], 5));
    assert_eq!(all.rounds[0].height_published, 10);
    let mut key = Vec::new();
    let mut backwards = Vec::new();
    loop {
        let page = PageRequest { key, limit: 2, reverse: true, ..PageRequest::default() };
        let page = rounds(page).expect("ok");
        backwards.extend(page.rounds.iter().map(|round| round.round));
        key = page.pagination.expect("always").next_key;
        if key.is_empty() {
            break;
        }
    }
    assert_eq!(backwards, [5, 4, 3, 2, 1]);
    let odd = PageRequest { key: vec![1, 2], ..PageRequest::default() };
    assert_eq!(rounds(odd).expect_err("no key").0, 18);

    let deltas = |round, pagination: PageRequest| {
        let request = own_proto::QueryDeltasRequest { round, pagination: Some(pagination) };
        world.ask::<own_proto::QueryDeltasResponse>("/cyberd.v1.Query/Deltas", &request)
    };
    let first = deltas(1, PageRequest::default()).expect("kept");
    assert_eq!(first.deltas.len() as u64, all.rounds[0].ranks_changed);
    let total: u64 = first.deltas.iter().map(|delta| delta.new_value).sum();
    assert_eq!(total.to_string(), all.rounds[0].total_value);
    assert!(first.deltas.iter().all(|delta| delta.old_value == 0 && delta.new_value > 0));
    let names: Vec<&str> = first.deltas.iter().map(|delta| delta.particle.as_str()).collect();
    assert_eq!(names, [1, 2, 3, 4].map(cid));
    let page = PageRequest { offset: 1, limit: 2, reverse: true, ..PageRequest::default() };
    let page = deltas(1, page).expect("kept").deltas;
    assert_eq!(page, [first.deltas[2].clone(), first.deltas[1].clone()]);
    // Nothing moved any more.
    assert_eq!(deltas(5, PageRequest::default()).expect("kept").deltas, []);
    for round in [0, 6, u64::MAX] {
        let (code, _, log) = deltas(round, PageRequest::default()).expect_err("no such round");
        assert!(code == 22 && log.contains(&format!("there is no round {round}, of 5")), "{log}");
    }

    let roots = |height| {
        let request = own_proto::QueryRootsRequest { height };
        world.ask::<own_proto::QueryRootsResponse>("/cyberd.v1.Query/Roots", &request)
    };
    for (block, hash) in &world.chain.blocks {
        let roots = roots(block.height.0).expect("kept");
        assert_eq!((roots.height, roots.app_hash), (block.height.0, hash.to_vec()));
        assert_eq!(roots.stores.len(), 10);
    }
    assert_eq!(roots(0).expect("ok").height as i64, world.latest());
    let log = "rpc error: code = InvalidArgument desc = height 5000 is in the future, the latest \
               is 32: invalid request";
    assert_eq!(roots(5000), Err(refused(18, "sdk", log)));
}
