// The conformance list: which row is shown by which clients, and what runs them.
// `rust` names the cargo test target and the tests whose names begin so. A row marked `absent`
// is about a module that the chain does not have: its tests assert the refusal. A row marked
// `pending` does not fail the run, and the table says so.

const COSMJS = ["CosmJS 0.32.4", "CosmJS 0.39.0"];
const CYBER_JS = ["cyber-js 0.4.3"];
const CYBER_TS = ["cyber-ts 0.1.3"];
const KEPLR = ["Keplr libraries 0.13.16"];
const HTTP = ["plain HTTP"];
const GRPC = ["grpcio 1.68.1"];
const EXAMPLES = ["examples"];
const rust = (target, tests) => ({ clients: ["Rust tests"], rust: { target, tests } });

export const ROWS = [
  { id: "C01", flow: "connect, chain id, height", clients: COSMJS },
  { id: "C02", flow: "number and sequence of a known account", clients: COSMJS },
  { id: "C03", flow: "an unknown account is null", clients: COSMJS },
  { id: "C04", flow: "balances", clients: COSMJS },
  { id: "C05", flow: "balance of a bad address", clients: COSMJS },
  { id: "C06", flow: "simulation; 1.4 times its gas is enough", clients: COSMJS },
  { id: "C07", flow: "sendTokens, fee \"auto\", direct", clients: COSMJS },
  { id: "C08", flow: "the same signed as amino JSON", clients: COSMJS },
  { id: "C09", flow: "multisig 2 of 3, and 1 of 3", clients: COSMJS },
  { id: "C10", flow: "refusals at the door: codes and texts", clients: COSMJS },
  { id: "C11", flow: "a message that fails in its block", clients: COSMJS },
  { id: "C12", flow: "getTx, searchTx, events", clients: COSMJS },
  { id: "C13", flow: "three transactions in one block", clients: COSMJS },
  { id: "C14", flow: "duplicate broadcast", clients: COSMJS },
  { id: "C15", flow: "staked balance, delegation (staking exception)", clients: [...COSMJS, ...CYBER_JS] },
  { id: "C16", flow: "WebSocket: new blocks, transactions", clients: COSMJS },
  { id: "Y01", flow: "graph, rank, search, bandwidth; absent modules", clients: CYBER_JS },
  { id: "Y02", flow: "a cyberlink without a fee is found and ranked", clients: CYBER_JS },
  { id: "Y03", flow: "cyberlinks that are refused", clients: CYBER_JS },
  { id: "Y04", flow: "several links in one transaction", clients: CYBER_JS },
  { id: "Y05", flow: "investmint", clients: CYBER_JS, absent: true },
  { id: "Y06", flow: "energy routes", clients: CYBER_JS, absent: true },
  {
    id: "Y07",
    flow: "pages past the end, of 0, above 1,000; Top without pagination",
    ...rust(["--lib"], ["query::tests::cyber::search_and_backlinks", "query::tests::cyber::ranks_are_scaled", "query::tests::cyber::what_go_cyber_refuses"]),
  },
  { id: "Y08", flow: "getCodes ends", clients: CYBER_JS, absent: true },
  { id: "Y09", flow: "LCD on every cyber path; RPC client", clients: CYBER_TS },
  { id: "K01", flow: "connection and feature probes, chain info", clients: KEPLR },
  { id: "K02", flow: "account from REST, unknown account 404", clients: KEPLR },
  { id: "K03", flow: "simulate, broadcast, wait over the WebSocket", clients: KEPLR },
  { id: "R01", flow: "statuses, heights in headers, CORS, bad bodies", clients: HTTP },
  { id: "R02", flow: "transaction search in both spellings, by hash, by block", clients: HTTP },
  { id: "R03", flow: "ping.pub's list", clients: HTTP },
  { id: "G01", flow: "reflection, account, balance, simulate, broadcast, search", clients: GRPC },
  { id: "G02", flow: "heights in metadata", clients: GRPC },
  { id: "S01", flow: "cosmrs: MsgSend, MsgCyberlink as Any, commit, read back", ...rust(["--test", "e2e_client"], ["s01"]) },
  { id: "S02", flow: "tendermint-rpc: status, info, query, search", ...rust(["--test", "e2e_client"], ["s02"]) },
  { id: "V01", flow: "signing.json: decode, sign bytes, verify, hash", ...rust(["--lib"], ["tx::tests::vectors"]) },
  { id: "V02", flow: "malformed transactions", ...rust(["--lib"], ["tx::tests::malformed", "tx::tests::signatures"]) },
  { id: "E01", flow: "example: CosmJS", clients: EXAMPLES },
  { id: "E02", flow: "example: cyber-js", clients: EXAMPLES },
  { id: "E03", flow: "example: curl", clients: EXAMPLES },
  { id: "E04", flow: "example: Python with grpcio", clients: EXAMPLES },
  { id: "E05", flow: "example: a page with window.keplr", clients: EXAMPLES },
  { id: "E06", flow: "examples are short", clients: EXAMPLES },
];

/** How many accounts of its own each suite gets. */
export const ACCOUNTS = 60;

/** What runs the clients: file and arguments. */
export const SUITES = [
  { client: "CosmJS 0.32.4", command: ["node", "suites/cosmjs.mjs", "0.32.4"] },
  { client: "CosmJS 0.39.0", command: ["node", "suites/cosmjs.mjs", "0.39.0"] },
  { client: "cyber-js 0.4.3", command: ["node", "suites/cyberjs.mjs"] },
  { client: "cyber-ts 0.1.3", command: ["node", "suites/cyberts.mjs"] },
  { client: "Keplr libraries 0.13.16", command: ["node", "suites/keplr.mjs"] },
  { client: "plain HTTP", command: ["node", "suites/http.mjs"] },
  { client: "grpcio 1.68.1", command: [".venv/bin/python", "suites/grpc_client.py"] },
  { client: "examples", command: ["node", "suites/examples.mjs"] },
];
