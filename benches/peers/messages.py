"""Queries as octets, and the little of an answer that the benches look at. RFC 1035, RFC 6891, RFC 7871."""

import struct

A, TXT, OPT = 1, 16, 41
ECS = 8

# What dnsperf's `-e` offers too.
PAYLOAD = 4096


def query(name, rtype=A, edns=False, subnet=None):
    """A query for `name`; with an OPT record, if `edns`, and in it the client subnet `(first octets, bits)`."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = labels + b"\0" + struct.pack(">2H", rtype, 1)
    if not edns and not subnet:
        return struct.pack(">6H", 1, 0, 1, 0, 0, 0) + question
    option = b""
    if subnet:
        octets, bits = subnet
        option = struct.pack(">4H", ECS, 4 + len(octets), 1, bits << 8) + octets
    opt = b"\0" + struct.pack(">2HIH", OPT, PAYLOAD, 0, len(option)) + option
    return struct.pack(">6H", 1, 0, 1, 0, 0, 1) + question + opt


def dnsperf_file(queries):
    """As dnsperf's `-B` reads them: each behind its length, as in a TCP stream."""
    return b"".join(struct.pack(">H", len(octets)) + octets for octets in queries)


class Answer:
    """The header and the records of the answer section."""

    def __init__(self, octets):
        self.octets = len(octets)
        _, flags, questions, records, _, _ = struct.unpack_from(">6H", octets)
        self.rcode, self.truncated = flags & 15, bool(flags & 0x200)
        at = 12
        for _ in range(questions):
            at = past_name(octets, at) + 4
        self.data = []
        for _ in range(records):
            at = past_name(octets, at)
            _, _, _, length = struct.unpack_from(">2HIH", octets, at)
            at += 10 + length
            self.data.append(octets[at - length : at])


def past_name(octets, at):
    while octets[at]:
        if octets[at] >= 0xC0:
            return at + 2
        at += 1 + octets[at]
    return at + 1
