"""What is asked, and what a right answer looks like: the same for every server."""

import pathlib
import random
import socket

from messages import A, TXT, query

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Small, in the repository: enough to see that everything runs.
SAMPLE = ROOT / "tests" / "geo" / "city.mmdb"

FOUR = [f"192.0.2.{i}" for i in range(1, 5)]
FIFTY = [f"198.51.100.{i}" for i in range(1, 51)]
WEIGHTS = [4, 3, 2, 1]

# A TXT record of 4,096 octets in 16 strings.
TEXT = " ".join(f'"{chr(ord("a") + i) * 255}"' for i in range(16))

ZONE = """$ORIGIN example.com.
$TTL 3600
@ SOA ns1 hostmaster 1 7200 900 1209600 300
@ NS ns1
ns1 A 192.0.2.53
one A 192.0.2.1
""" + "".join(
    [f"www A {address}\n" for address in FOUR] + [f"fifty A {address}\n" for address in FIFTY] + [f"text TXT {TEXT}\n"]
)

# Where clients are sent. By country and by state, so that the database is asked for all that it knows.
SITES = {
    "east": dict(net="203.0.113", continents=["NA", "SA"], countries=[], subdivisions=[]),
    "eu": dict(net="192.0.2", continents=["EU", "AF"], countries=["TR"], subdivisions=[]),
    "asia": dict(net="198.51.100", continents=["AS", "OC"], countries=[], subdivisions=[]),
    "west": dict(net="100.64.0", continents=[], countries=[], subdivisions=["US-CA", "US-WA", "US-OR"]),
}

# Enough that neither a cache line nor a branch predictor knows what comes next; a quarter of a second's queries.
SUBNETS = 50_000
ABSENT = 10_000


class Case:
    """Something that is asked over and over. `by` are the servers that can answer it."""

    def __init__(self, name, what, queries, by, rcode=0, records=1, tcp=False, moves=False):
        self.name, self.what, self.queries, self.by = name, what, queries, by
        self.rcode, self.records, self.tcp = rcode, records, tcp
        # Whether the answer depends on the client's subnet, so that servers can be held to each other.
        self.moves = moves


def cases(database):
    static, steering = ("ours", "gdnsd", "knot", "nsd"), ("ours", "gdnsd")
    draw = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz"
    absent = [query("".join(draw.choices(letters, k=8)) + "9.example.com") for _ in range(ABSENT)]
    located = lambda name: [query(name, subnet=subnet) for subnet in subnets(database)]
    return [
        Case("one", "static, 1 A", [query("one.example.com")], static),
        Case("four", "static, 4 A", [query("www.example.com")], static, records=4),
        Case("nxdomain", "NXDOMAIN, 10,000 names", absent, static, rcode=3, records=0),
        Case("fifty", "50 A, EDNS", [query("fifty.example.com", edns=True)], static, records=50),
        Case("text", "TXT of 4 KB, TCP", [query("text.example.com", TXT, edns=True)], static, tcp=True),
        Case("weighted", "weighted, 4 members", [query("weighted.example.com")], steering),
        Case("geo", "geo, ECS", located("geo.example.com"), steering, moves=True),
        Case("nested", "geo→failover→weighted, ECS", located("nested.example.com"), steering, moves=True),
    ]


def subnets(database):
    """Clients from everywhere, or from the networks that the small database knows."""
    draw = random.Random(11)
    if database == SAMPLE:
        known = ["192.0.2", "198.51.100", "203.0.113"]
        return [(socket.inet_aton(f"{draw.choice(known)}.{draw.randrange(16) * 16}"), 28) for _ in range(SUBNETS)]
    found = []
    while len(found) < SUBNETS:
        first = draw.randrange(1, 224)
        # Neither private nor loopback: servers heed no such subnet.
        if first not in (10, 100, 127, 169, 172, 192, 198, 203):
            found.append((bytes([first, draw.randrange(256), draw.randrange(256)]), 24))
    return found
