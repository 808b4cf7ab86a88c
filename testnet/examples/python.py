"""Links, waits for the rank: GRPC=… KEY=<64 hex digits> NEURON=bostrom1… python python.py CID CID"""
import grpc, hashlib, os, sys, time
from ecdsa import SECP256k1, SigningKey, util
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

channel = grpc.insecure_channel(os.environ.get("GRPC", "127.0.0.1:9090"))
pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
new = lambda name, **fields: message_factory.GetMessageClass(pool.FindMessageTypeByName(name))(**fields)
pack = lambda one: new("google.protobuf.Any", type_url="/" + one.DESCRIPTOR.full_name, value=one.SerializeToString())
TX, neuron = "cosmos.tx.v1beta1.", os.environ["NEURON"]
def call(service, name, **fields):
    found = pool.FindServiceByName(service).FindMethodByName(name)
    read = message_factory.GetMessageClass(found.output_type).FromString
    send = channel.unary_unary(f"/{service}/{name}", lambda one: one.SerializeToString(), read)
    return send(new(found.input_type.full_name, **fields))
key = SigningKey.from_string(bytes.fromhex(os.environ["KEY"]), SECP256k1, hashlib.sha256)
found = call("cosmos.auth.v1beta1.Query", "Account", address=neuron).account.value
account = type(new("cosmos.auth.v1beta1.BaseAccount")).FromString(found)
info = call("cosmos.base.tendermint.v1beta1.Service", "GetNodeInfo").default_node_info
link = {"from": sys.argv[1], "to": sys.argv[2]}
message = new("cyber.graph.v1beta1.MsgCyberlink", neuron=neuron, links=[link])
public = pack(new("cosmos.crypto.secp256k1.PubKey", key=key.verifying_key.to_string("compressed")))
signer = {"public_key": public, "mode_info": {"single": {"mode": 1}}, "sequence": account.sequence}
signed = {"body_bytes": new(TX + "TxBody", messages=[pack(message)]).SerializeToString(),
          "auth_info_bytes": new(TX + "AuthInfo", signer_infos=[signer], fee={"gas_limit": 100000}).SerializeToString()}
document = new(TX + "SignDoc", chain_id=info.network, account_number=account.account_number, **signed)
signature = key.sign_deterministic(document.SerializeToString(), sigencode=util.sigencode_string_canonize)
raw = new(TX + "TxRaw", signatures=[signature], **signed).SerializeToString()
sent = call(TX + "Service", "BroadcastTx", tx_bytes=raw, mode=2).tx_response
assert sent.code == 0, sent.raw_log
rank = 0
while rank == 0:
    time.sleep(0.2)
    try:
        rank = call("cyber.rank.v1beta1.Query", "Rank", particle=sys.argv[2]).rank
    except grpc.RpcError:
        pass  # no block has it yet
print(f"{sys.argv[2]} has rank {rank}")
