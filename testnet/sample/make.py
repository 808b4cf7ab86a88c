#!/usr/bin/env python3
"""Makes links.tsv.gz, the sample graph: the relations of WordNet 3.0 as cyberlinks.

Reads Debian's package wordnet-base (downloaded with apt-get, unpacked with dpkg-deb) and writes
lines of neuron, from text, to text, separated by tabs. Words and relations only, no glosses.
WordNet's licence stands beside it, in LICENSE.wordnet.

    make.py                  download the package, write links.tsv.gz
    make.py --check          download the package, compare with links.tsv.gz, change nothing
    make.py --deb FILE …     the same from a package already here

A relation between two sets of synonyms links their first words; one between two words links
these; every other word of a set links to its first. So each word leads to what it is, what it has
and what there is of its kind.
"""
import argparse
import collections
import gzip
import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile
import unicodedata

HERE = pathlib.Path(__file__).resolve().parent
OUTPUT = HERE / "links.tsv.gz"

# WordNet's signs for its relations, those the sample takes.
RELATIONS = {
    "hypernym": ("@", "@i"),
    "hyponym": ("~", "~i"),
    "part": ("#p", "%p", "#s", "%s"),
    "member": ("#m", "%m"),
    "similar": ("&", "$"),
    "also": ("^",),
    "antonym": ("!",),
    "derived": ("+", "\\", "<"),
}
SIGNS = {sign for signs in RELATIONS.values() for sign in signs}

# Who links what. Nouns by the first letter of the word they lead from, so that the four have
# about equally many; everything before "d", figures and signs included, is alice's.
NOUNS = (("q", "dave"), ("j", "carol"), ("d", "bob"), ("", "alice"))
NEURONS = {"verb": "erin", "adj": "frank", "adv": "grace"}
AGAIN = "heidi"
MOST_LINKED = 100

# A set of synonyms: its words and its relations as (sign, other set, own word, other's word),
# words counted from 1, 0 for the whole set.
Synset = collections.namedtuple("Synset", "part words relations")


def read(folder):
    """All synsets of the four data files by (part of speech letter, offset)."""
    synsets = {}
    for part, letter in (("noun", "n"), ("verb", "v"), ("adj", "a"), ("adv", "r")):
        for line in (folder / f"data.{part}").read_text("ascii").splitlines():
            if line.startswith("  "):
                continue
            fields = line.split(" | ")[0].split()
            count = int(fields[3], 16)
            words = [text(word) for word in fields[4 : 4 + 2 * count : 2]]
            rest = fields[4 + 2 * count :]
            relations = []
            for at in range(1, 1 + 4 * int(rest[0]), 4):
                sign, offset, other, ends = rest[at : at + 4]
                if sign in SIGNS:
                    key = ("a" if other == "s" else other, offset)
                    relations.append((sign, key, int(ends[:2], 16), int(ends[2:], 16)))
            synsets[letter, fields[0]] = Synset(part, words, relations)
    return synsets


def text(word):
    """A word as the chain's tools write texts: no syntactic marker, spaces, the canonical rule."""
    word = re.sub(r"\((a|p|ip)\)$", "", word).replace("_", " ")
    return unicodedata.normalize("NFC", word).strip("\ufeff \t\r\n")


def links(synsets):
    """The links of each part of speech as sets of (from, to)."""
    found = {"noun": set(), "verb": set(), "adj": set(), "adv": set()}
    for synset in synsets.values():
        own = found[synset.part]
        own.update((word, synset.words[0]) for word in synset.words[1:])
        for _, key, source, target in synset.relations:
            own.add((synset.words[max(source - 1, 0)], synsets[key].words[max(target - 1, 0)]))
    return {part: {(a, b) for a, b in own if a != b} for part, own in found.items()}


def neuron(part, word):
    if part == "noun":
        return next(name for first, name in NOUNS if word[0].lower() >= first)
    return NEURONS[part]


def again(own):
    """The links that lead from the most linked words, links in both directions counted."""
    degree = collections.Counter(word for link in own for word in link)
    order = sorted(degree, key=lambda word: (-degree[word], word))
    chosen = set(order[:MOST_LINKED])
    return {link for link in own if link[0] in chosen}


def make(folder):
    """The file's bytes."""
    rows = set()
    for part, own in links(read(folder)).items():
        rows.update((neuron(part, a), a, b) for a, b in own)
        rows.update((AGAIN, a, b) for a, b in again(own))
    assert all(a != b and "\t" not in a + b for _, a, b in rows)
    count = collections.Counter(name for name, _, _ in rows)
    words = {word for _, a, b in rows for word in (a, b)}
    for name in sorted(count):
        print(f"{name:8}{count[name]:8}", file=sys.stderr)
    print(f"{len(rows)} links, {len(words)} words", file=sys.stderr)
    return "".join("\t".join(row) + "\n" for row in sorted(rows)).encode()


def unpack(deb, into):
    """Unpacks the package, downloading it first if need be; the folder of its data files."""
    if deb is None:
        subprocess.run(["apt-get", "download", "wordnet-base"], cwd=into, check=True)
        deb = next(into.glob("wordnet-base_*.deb"))
    fields = subprocess.run(
        ["dpkg-deb", "-f", deb, "Version"], check=True, capture_output=True, text=True
    )
    print(f"wordnet-base {fields.stdout.strip()}", file=sys.stderr)
    subprocess.run(["dpkg-deb", "-x", deb, into / "unpacked"], check=True)
    return into / "unpacked/usr/share/wordnet"


def main():
    parser = argparse.ArgumentParser(description="Makes the sample graph from WordNet.")
    parser.add_argument("--check", action="store_true", help="compare, change nothing")
    parser.add_argument("--deb", type=pathlib.Path, help="a wordnet-base package")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = make(unpack(arguments.deb, pathlib.Path(folder)))
    print(f"sha256 {hashlib.sha256(made).hexdigest()} before compression", file=sys.stderr)
    if not arguments.check:
        # A fixed time, so that the same content gives the same file.
        OUTPUT.write_bytes(gzip.compress(made, compresslevel=9, mtime=0))
    elif gzip.decompress(OUTPUT.read_bytes()) != made:
        sys.exit(f"{OUTPUT.name} is not what this package gives (made with 1:3.0-37)")
    else:
        print(f"{OUTPUT.name} is what this package gives", file=sys.stderr)


if __name__ == "__main__":
    main()
