// Makes trees.json: versions of trees, with their roots and proofs, by the IAVL library of Go.
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/rand"
	"os"
	"sort"

	"github.com/cosmos/iavl"
	"github.com/cosmos/iavl/db"
)

// Change is a key and its new value; nil removes.
type Change [2]*string

// Pass is what one ascending pass of changes does to a tree.
type Pass struct {
	Version int64    `json:"version"`
	Changes []Change `json:"changes"`
	Root    string   `json:"root"`
}

// Proof is the commitment proof of a key, there or not, after the last pass.
type Proof struct {
	Key   string `json:"key"`
	Proof string `json:"proof"`
}

// Case is the life of a tree.
type Case struct {
	Name   string  `json:"name"`
	Passes []Pass  `json:"passes"`
	Proofs []Proof `json:"proofs"`
}

type changes map[string][]byte

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// apply makes the changes that change something, in ascending order of keys.
func apply(tree *iavl.MutableTree, batch changes) []Change {
	list := []Change{}
	for _, key := range sorted(batch) {
		value := batch[key]
		hexKey := hex.EncodeToString([]byte(key))
		present, err := tree.Get([]byte(key))
		check(err)
		if value == nil {
			list = append(list, Change{&hexKey, nil})
			if present != nil {
				_, _, err = tree.Remove([]byte(key))
			}
		} else {
			hexValue := hex.EncodeToString(value)
			list = append(list, Change{&hexKey, &hexValue})
			if !bytes.Equal(present, value) {
				_, err = tree.Set([]byte(key), value)
			}
		}
		check(err)
	}
	return list
}

func sorted(batch changes) []string {
	keys := make([]string, 0, len(batch))
	for key := range batch {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// life makes a case. With genesis, the first batch is a pass of its own that is not saved, at the
// version of the second.
func life(name string, first int64, genesis bool, batches []changes, asked [][]byte) Case {
	tree := iavl.NewMutableTree(db.NewMemDB(), 1000, false, iavl.NewNopLogger())
	tree.SetInitialVersion(uint64(first))
	result := Case{Name: name, Passes: []Pass{}, Proofs: []Proof{}}
	version := first
	for at, batch := range batches {
		list := apply(tree, batch)
		root := tree.WorkingHash()
		if !genesis || at > 0 {
			saved, savedVersion, err := tree.SaveVersion()
			check(err)
			root, version = saved, savedVersion
		}
		result.Passes = append(result.Passes, Pass{version, list, hex.EncodeToString(root)})
	}
	last, err := tree.GetImmutable(version)
	check(err)
	for _, key := range asked {
		if last.Size() == 0 {
			break
		}
		proof, err := last.GetProof(key)
		check(err)
		ok, err := last.VerifyProof(proof, key)
		check(err)
		if !ok {
			panic("a proof that does not verify")
		}
		data, err := proof.Marshal()
		check(err)
		result.Proofs = append(result.Proofs, Proof{hex.EncodeToString(key), hex.EncodeToString(data)})
	}
	return result
}

// random draws batches over a set of keys that is small enough for keys to come again.
func random(seed int64, count, size, keys int, removed float64) ([]changes, [][]byte) {
	source := rand.New(rand.NewSource(seed))
	pool := make([][]byte, keys)
	for at := range pool {
		pool[at] = make([]byte, 1+source.Intn(12))
		source.Read(pool[at])
	}
	batches := make([]changes, count)
	for at := range batches {
		batches[at] = changes{}
		for range source.Intn(size + 1) {
			key := pool[source.Intn(keys)]
			if source.Float64() < removed {
				batches[at][string(key)] = nil
			} else {
				value := make([]byte, 1+source.Intn(3))
				value[0] = byte(source.Intn(4))
				batches[at][string(key)] = value
			}
		}
	}
	asked := append([][]byte{{0}, bytes.Repeat([]byte{255}, 13)}, pool[:min(10, keys)]...)
	return batches, asked
}

func set(pairs ...string) changes {
	batch := changes{}
	for at := 0; at < len(pairs); at += 2 {
		batch[pairs[at]] = nil
		if pairs[at+1] != "" {
			batch[pairs[at]] = []byte(pairs[at+1])
		}
	}
	return batch
}

func ascending(from, to int) changes {
	batch := changes{}
	for at := from; at < to; at++ {
		batch[string([]byte{byte(at >> 8), byte(at)})] = []byte{byte(at), 1}
	}
	return batch
}

func without(from, to, step int) changes {
	batch := changes{}
	for at := from; at < to; at += step {
		batch[string([]byte{byte(at >> 8), byte(at)})] = nil
	}
	return batch
}

func main() {
	abc := [][]byte{[]byte("a"), []byte("b"), []byte("bb"), []byte("c"), []byte("0"), []byte("z")}
	numbers := [][]byte{{0, 0}, {0, 1}, {0, 250}, {1, 0}, {1, 1}, {1, 144}, {9}, {0}}
	cases := []Case{
		life("nothing at all", 1, false, []changes{{}, {}}, abc),
		life("one key", 1, false, []changes{set("b", "1")}, abc),
		life("empty commits change no root", 1, false,
			[]changes{set("a", "1", "b", "2"), {}, {}, set("c", "3"), {}}, abc),
		life("emptied and filled again", 1, false,
			[]changes{set("a", "1", "b", "2", "c", "3"), set("a", "", "b", "", "c", ""), {},
				set("a", "1", "c", "3"), set("c", ""), set("a", ""), set("b", "9")}, abc),
		life("equal values and absent keys are left alone", 1, false,
			[]changes{set("a", "1", "b", "2", "c", "3"), set("a", "1", "b", "2", "c", "3", "d", ""),
				set("a", "1", "b", "5"), set("b", "5", "x", "")}, abc),
		life("genesis and block 1 at version 1", 1, true,
			[]changes{set("a", "1", "b", "2", "c", "3"), set("b", "7", "d", "4"), set("d", "")}, abc),
		life("genesis and an idle block 1", 1, true,
			[]changes{ascending(0, 40), {}, set("a", "1")}, abc),
		life("genesis at a later initial height", 4711, true,
			[]changes{ascending(0, 100), without(10, 60, 3), ascending(50, 130), {}}, numbers),
		life("rising keys, then every third removed, then the first half", 1, false,
			[]changes{ascending(0, 400), without(0, 400, 3), without(0, 200, 1), ascending(100, 300)},
			numbers),
		life("a late start", 3_000_000_000, false,
			[]changes{ascending(0, 20), without(0, 20, 2)}, numbers),
	}
	for seed, shape := range []struct {
		count, size, keys int
		removed           float64
	}{
		{30, 6, 8, 0.5}, {30, 10, 25, 0.4}, {20, 40, 100, 0.3}, {20, 40, 100, 0.6},
		{10, 120, 600, 0.2}, {12, 100, 300, 0.45},
	} {
		batches, asked := random(int64(seed), shape.count, shape.size, shape.keys, shape.removed)
		name := "random " + string(rune('a'+seed))
		cases = append(cases, life(name, int64(seed)+1, seed%2 == 1, batches, asked))
	}
	output, err := json.Marshal(cases)
	check(err)
	// One line for each case keeps the file small and its differences readable.
	output = bytes.ReplaceAll(output, []byte(`{"name"`), []byte("\n"+`{"name"`))
	_, err = os.Stdout.Write(append(output, '\n'))
	check(err)
}
