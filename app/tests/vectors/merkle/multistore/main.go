// Makes multistore.json: app hashes and key proofs of a multistore as the Cosmos SDK makes them,
// and RFC 6962 trees by CometBFT's crypto/merkle.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/rand"
	"os"

	"cosmossdk.io/log"
	"cosmossdk.io/store/metrics"
	"cosmossdk.io/store/rootmulti"
	"cosmossdk.io/store/types"
	"github.com/cometbft/cometbft/crypto/merkle"
	dbm "github.com/cosmos/cosmos-db"
)

// Op is one proof operation: type, key, data.
type Op [3]string

// Query is a key of a store, its value (nil: absent) and the operations that prove it.
type Query struct {
	Store string  `json:"store"`
	Key   string  `json:"key"`
	Value *string `json:"value"`
	Ops   []Op    `json:"ops"`
}

// Block is the state of the stores after a commit.
type Block struct {
	Height  int64                  `json:"height"`
	Changes map[string][][2]string `json:"changes"`
	Roots   map[string]string      `json:"roots"`
	AppHash string                 `json:"app_hash"`
	Queries []Query                `json:"queries"`
}

// Path is the audit path of a leaf.
type Path struct {
	Index int64    `json:"index"`
	Path  []string `json:"path"`
}

// Log is a tree over leaves of which number n is n as eight bytes, big endian.
type Log struct {
	Size  int    `json:"size"`
	Root  string `json:"root"`
	Paths []Path `json:"paths"`
}

var names = []string{"acc", "bandwidth", "bank", "cyberlinks", "graph", "params", "particles",
	"rank", "ranks", "rounds"}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func blocks() []Block {
	multi := rootmulti.NewStore(dbm.NewMemDB(), log.NewNopLogger(), metrics.NewNoOpMetrics())
	keys := map[string]*types.KVStoreKey{}
	for _, name := range names {
		keys[name] = types.NewKVStoreKey(name)
		multi.MountStoreWithDB(keys[name], types.StoreTypeIAVL, nil)
	}
	check(multi.LoadLatestVersion())
	source := rand.New(rand.NewSource(7))
	result := []Block{}
	for range 4 {
		block := Block{Changes: map[string][][2]string{}, Roots: map[string]string{}}
		for at, name := range names {
			if at == 4 || source.Intn(3) == 0 {
				continue // graph stays empty
			}
			last := byte(0)
			for range 1 + source.Intn(9) {
				last += byte(1 + source.Intn(20))
				key, value := []byte{1, last}, []byte{byte(1 + source.Intn(255)), last}
				multi.GetCommitKVStore(keys[name]).Set(key, value)
				pair := [2]string{hex.EncodeToString(key), hex.EncodeToString(value)}
				block.Changes[name] = append(block.Changes[name], pair)
			}
		}
		id := multi.Commit()
		block.Height, block.AppHash = id.Version, hex.EncodeToString(id.Hash)
		for _, name := range names {
			hash := multi.GetCommitKVStore(keys[name]).LastCommitID().Hash
			block.Roots[name] = hex.EncodeToString(hash)
		}
		result = append(result, block)
	}
	last := &result[len(result)-1]
	for _, name := range names {
		if name == "graph" {
			continue // the SDK proves nothing of an empty store
		}
		for range 3 {
			key := []byte{1, byte(source.Intn(100))}
			last.Queries = append(last.Queries, query(multi, last.Height, name, key))
		}
		first, err := hex.DecodeString(lastChange(result, name))
		check(err)
		last.Queries = append(last.Queries, query(multi, last.Height, name, first))
	}
	return result
}

func lastChange(all []Block, name string) string {
	for at := len(all) - 1; at >= 0; at-- {
		if list := all[at].Changes[name]; len(list) > 0 {
			return list[0][0]
		}
	}
	panic("a store without keys")
}

func query(multi *rootmulti.Store, height int64, name string, key []byte) Query {
	request := types.RequestQuery{Path: "/" + name + "/key", Data: key, Height: height, Prove: true}
	answer, err := multi.Query(&request)
	check(err)
	result := Query{Store: name, Key: hex.EncodeToString(key)}
	if answer.Value != nil {
		value := hex.EncodeToString(answer.Value)
		result.Value = &value
	}
	for _, op := range answer.ProofOps.Ops {
		key, data := hex.EncodeToString(op.Key), hex.EncodeToString(op.Data)
		result.Ops = append(result.Ops, Op{op.Type, key, data})
	}
	return result
}

func tree(size int) Log {
	leaves := make([][]byte, size)
	for at := range leaves {
		leaves[at] = binary.BigEndian.AppendUint64(nil, uint64(at))
	}
	root, proofs := merkle.ProofsFromByteSlices(leaves)
	result := Log{Size: size, Root: hex.EncodeToString(root), Paths: []Path{}}
	asked := map[int]bool{0: true, size / 2: true, size - 1: true, size / 3: true}
	for at, proof := range proofs {
		if !asked[at] {
			continue
		}
		path := []string{}
		for _, aunt := range proof.Aunts {
			path = append(path, hex.EncodeToString(aunt))
		}
		result.Paths = append(result.Paths, Path{proof.Index, path})
	}
	return result
}

func main() {
	logs := []Log{}
	for _, size := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 21, 255, 256, 257, 511, 700, 70000} {
		logs = append(logs, tree(size))
	}
	output, err := json.Marshal(map[string]any{"names": names, "blocks": blocks(), "logs": logs})
	check(err)
	for _, start := range []string{`{"height"`, `{"store"`, `{"size"`} {
		output = bytes.ReplaceAll(output, []byte(start), []byte("\n"+start))
	}
	_, err = os.Stdout.Write(append(output, '\n'))
	check(err)
}
