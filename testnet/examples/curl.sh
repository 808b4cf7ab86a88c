#!/bin/sh
# Links two words and waits for the rank, with curl; cyberd signs, and needs no other part in it:
#   REST=http://127.0.0.1:1317 FROM=alice ./curl.sh dog animal
# (RPC and CYBERD_HOME say where the key and the node are; jq reads the JSON.)
set -eu
rest=${REST:-http://127.0.0.1:1317}
cyberd=${CYBERD_BIN:-cyberd}
to=$("$cyberd" cid "$2")

tx=$("$cyberd" --node "${RPC:-http://127.0.0.1:26657}" link "$1" "$2" --from "$FROM" --sign-only)
body=$(printf '{"tx_bytes":"%s","mode":"BROADCAST_MODE_SYNC"}' "$tx")
sent=$(curl -sS --fail -H 'content-type: application/json' -d "$body" "$rest/cosmos/tx/v1beta1/txs")
hash=$(printf %s "$sent" | jq -r '.tx_response | if .code == 0 then .txhash else error(.raw_log) end')

# until PATH FILTER: asks until the answer holds something.
until_found() {
    for _ in $(seq 150); do
        found=$(curl -sS "$rest$1" | jq -r "$2 // empty")
        [ -n "$found" ] && printf '%s\n' "$found" && return
        sleep 0.2
    done
    echo "no answer at $1" >&2
    return 1
}
height=$(until_found "/cosmos/tx/v1beta1/txs/$hash" '.tx_response | select(.code == 0) | .height')
rank=$(until_found "/cyber/rank/v1beta1/rank/rank/$to" '.rank | select(. != null and . != "0")')
echo "block $height: $to has rank $rank"
