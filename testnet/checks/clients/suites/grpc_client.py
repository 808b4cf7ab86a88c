"""grpcio with reflection (rows G01 and G02): no generated code, only what the node describes."""

import hashlib
import json
import os
import subprocess
import sys
import time
import base64

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.reflected import Node, files
from lib.suite import CHAIN, account, eventually, run, test

node = Node(CHAIN["grpc"])

SERVICES = [
    "cosmos.auth.v1beta1.Query", "cosmos.bank.v1beta1.Query", "cosmos.bank.v1beta1.Msg",
    "cosmos.tx.v1beta1.Service", "cosmos.base.tendermint.v1beta1.Service",
    "cosmos.base.node.v1beta1.Service", "cyber.graph.v1beta1.Query", "cyber.graph.v1beta1.Msg",
    "cyber.rank.v1beta1.Query", "cyber.bandwidth.v1beta1.Query", "cyberd.v1.Query",
    "grpc.health.v1.Health",
]


def signed(name, *words):
    """Bytes of a transaction, signed by the command line of cyberd for an account of the chain."""
    command = [os.environ["CYBERD_BIN"], "--home", CHAIN["home"], "--output", "json", *words]
    ran = subprocess.run([*command, "--from", name, "--sign-only"], capture_output=True, text=True, check=True)
    return base64.b64decode(json.loads(ran.stdout)["tx_bytes"])


def refused(call):
    """The error that a call must end with."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("it was answered")


@test("G01", "reflection lists the services, by v1alpha and by v1")
def _():
    for version in ("v1alpha", "v1"):
        answer = node.reflect(version, list_services="")
        listed = [one.name for one in answer.list_services_response.service]
        missing = [name for name in SERVICES if name not in listed]
        assert not missing, (version, missing)


@test("G01", "reflection describes services, messages and files")
def _():
    for version in ("v1alpha", "v1"):
        described = files(node.reflect(version, file_containing_symbol="cyber.rank.v1beta1.Query"))
        methods = {method.name for one in described for service in one.service for method in service.method}
        assert {"Rank", "Search", "Backlinks", "Top", "Karma"} <= methods, methods
        (named,) = files(node.reflect(version, file_by_filename="cosmos/base/v1beta1/coin.proto"))[:1]
        assert named.message_type[0].name == "Coin"
        # The status of the stream here, an error inside the answer with other servers.
        error = refused(lambda: node.reflect(version, file_containing_symbol="no.such.Symbol"))
        assert error.code() == grpc.StatusCode.NOT_FOUND, error


@test("G01", "Account and Balance")
def _():
    known = account()
    answer = node.call("/cosmos.auth.v1beta1.Query/Account", address=known["address"])
    base = node.message("cosmos.auth.v1beta1.BaseAccount")
    assert answer.account.Unpack(base) and base.address == known["address"]
    answer = node.call("/cosmos.bank.v1beta1.Query/Balance", address=known["address"], denom="boot")
    assert answer.balance.amount == known["balance"]["amount"]
    nobody = "bostrom1phaxpevm5wecex2jyaqty2a4v02qj7qm5n94ug"
    error = refused(lambda: node.call("/cosmos.auth.v1beta1.Query/Account", address=nobody))
    assert error.code() == grpc.StatusCode.NOT_FOUND, error
    error = refused(lambda: node.call("/cosmos.bank.v1beta1.Query/Balance", address="x", denom="boot"))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error


@test("G01", "Simulate, BroadcastTx and GetTx of a transfer")
def _():
    sender, to = account(), account()
    raw = signed(sender["name"], "send", to["address"], "5boot")
    gas = node.call("/cosmos.tx.v1beta1.Service/Simulate", tx_bytes=raw).gas_info
    assert 0 < gas.gas_used < 1_000_000
    sent = node.call("/cosmos.tx.v1beta1.Service/BroadcastTx", tx_bytes=raw, mode="BROADCAST_MODE_SYNC")
    assert sent.tx_response.code == 0, sent
    digest = hashlib.sha256(raw).hexdigest().upper()
    assert sent.tx_response.txhash == digest

    def found():
        try:
            return node.call("/cosmos.tx.v1beta1.Service/GetTx", hash=digest)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error

    found = eventually("the transaction", found)
    assert (found.tx_response.code, found.tx_response.gas_used) == (0, gas.gas_used)
    assert found.tx.body.messages[0].type_url == "/cosmos.bank.v1beta1.MsgSend"
    held = node.call("/cosmos.bank.v1beta1.Query/Balance", address=to["address"], denom="boot")
    assert int(held.balance.amount) == int(to["balance"]["amount"]) + 5
    again = node.call("/cosmos.tx.v1beta1.Service/BroadcastTx", tx_bytes=raw, mode="BROADCAST_MODE_SYNC")
    assert (again.tx_response.codespace, again.tx_response.code) == ("sdk", 19), again


@test("G01", "a link is made and found by cyber.rank Search")
def _():
    neuron = account()
    words = [f"{word} {neuron['name']} {time.time()}" for word in ("from", "to")]
    raw = signed(neuron["name"], "link", *words)
    sent = node.call("/cosmos.tx.v1beta1.Service/BroadcastTx", tx_bytes=raw, mode="BROADCAST_MODE_SYNC")
    assert sent.tx_response.code == 0, sent
    body = node.message("cosmos.tx.v1beta1.TxRaw")
    body.ParseFromString(raw)
    message = node.message("cosmos.tx.v1beta1.TxBody")
    message.ParseFromString(body.body_bytes)
    link = node.message("cyber.graph.v1beta1.MsgCyberlink")
    assert message.messages[0].Unpack(link)
    (link,) = link.links

    def ranked():
        try:
            found = node.call("/cyber.rank.v1beta1.Query/Search", particle=getattr(link, "from"))
        except grpc.RpcError as error:
            assert "particle not found" in error.details(), error
            return False
        assert [one.particle for one in found.result] == [link.to]
        return found.result[0].rank > 0

    eventually("the link with a rank", ranked)


@test("G01", "blocks, node info and health")
def _():
    info = node.call("/cosmos.base.tendermint.v1beta1.Service/GetNodeInfo")
    assert info.default_node_info.network == CHAIN["chain_id"]
    assert info.application_version.cosmos_sdk_version == "v0.47.12"
    block = node.call("/cosmos.base.tendermint.v1beta1.Service/GetLatestBlock").block
    assert block.header.chain_id == CHAIN["chain_id"]
    path = "/cosmos.base.tendermint.v1beta1.Service/GetBlockByHeight"
    assert node.call(path, height=block.header.height).block == block
    assert "boot" in node.call("/cosmos.base.node.v1beta1.Service/Config").minimum_gas_price
    assert node.call("/grpc.health.v1.Health/Check").status == 1


@test("G01", "Msg services are listed and cannot be called; unknown methods are unimplemented")
def _():
    error = refused(lambda: node.call("/cosmos.bank.v1beta1.Msg/Send"))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
    unknown = node.channel.unary_unary("/cosmos.gov.v1.Query/Proposals")
    error = refused(lambda: unknown(b"", timeout=10))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error


HEIGHT = "x-cosmos-block-height"
BALANCE = "/cosmos.bank.v1beta1.Query/Balance"


@test("G02", "a height is asked for and told in metadata")
def _():
    sender, to = account(), account()
    _, headers = node.answer(BALANCE, address=to["address"], denom="boot")
    before = int(headers[HEIGHT])
    assert before > 0
    raw = signed(sender["name"], "send", to["address"], "9boot")
    node.call("/cosmos.tx.v1beta1.Service/BroadcastTx", tx_bytes=raw, mode="BROADCAST_MODE_SYNC")
    more = int(to["balance"]["amount"]) + 9
    now = lambda: node.call(BALANCE, address=to["address"], denom="boot").balance.amount
    eventually("the transfer", lambda: int(now()) == more)
    asked = ((HEIGHT, str(before)),)
    then, headers = node.answer(BALANCE, metadata=asked, address=to["address"], denom="boot")
    assert (then.balance.amount, headers[HEIGHT]) == (to["balance"]["amount"], str(before))


@test("G02", "a height that is not there yet, or is none, is an error")
def _():
    address = account()["address"]
    for height, words in (("999999999", "height in the future"), ("-1", ""), ("many", "")):
        call = lambda: node.answer(BALANCE, metadata=((HEIGHT, height),), address=address, denom="boot")
        error = refused(call)
        assert error.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNKNOWN), error
        assert words in error.details(), error


run("grpcio 1.68.1")
