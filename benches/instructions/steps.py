"""What each step of an answer takes of a line's instructions.

The steps are inlined into one another, so no profiler that knows functions alone can tell them apart. Callgrind says
how often each instruction ran; the binary's line table says for each through which inlined calls it came there. An
instruction counts for the innermost frame that is a step's; what is called in the C library (memcpy, memcmp) counts
for the instruction that calls it.
"""

import collections
import re
import subprocess

# Files below src/ by the step that they are a part of; the first that a path begins with counts.
STEPS = {
    "read": ("wire/query", "wire/qname", "wire/header", "wire/edns", "wire/option"),
    "client": ("answer/client", "wire/ecs", "policy/client"),
    "screen": ("answer/screen",),
    "lookup": ("zone/tree", "snapshot", "answer/lookup"),
    "steer": ("policy", "answer/steer", "answer/hint", "geo", "ttl", "moment", "random"),
    "compose": ("answer/compose", "answer/opt", "zone/rrset", "zone/hints", "wire/cookie"),
    "withhold": ("answer/withhold", "answer/rate"),
    "count": ("answer/worker",),
    "answer": ("answer/mod",),
}

# As benches/instructions/main.rs calls it.
COUNTED = "instructions::counted"

# A file of the library, which cargo has the compiler name from its root.
OURS = re.compile(r"^(?:.*/)?src/((?:answer|geo|moment|policy|random|snapshot|ttl|wire|zone)\b.*)\.rs:")


def show(name, queries, dump, binary):
    costs, start = by_address(dump, binary)
    frames = frames_of(sorted(costs), start, binary)
    steps, parts = collections.Counter(), collections.Counter()
    for address, cost in costs.items():
        step, part = place(frames.get(address, ()))
        steps[step] += cost
        parts[step, part] += cost
    whole = sum(steps.values())
    print(f"{name}: {whole / queries:.0f} instructions a query\n")
    for step in (*STEPS, "loop"):
        if not steps[step]:
            continue
        print(f"{steps[step] / queries:8.0f} {steps[step] / whole:6.1%}  {step}")
        for (of, part), cost in parts.most_common():
            if of == step and part and cost / queries >= 1:
                print(f"{cost / queries:24.0f}  {part}")
    return 0


def place(chain):
    """The step of a chain of inlined calls, innermost first, and the file of the frame that decided."""
    for path in chain:
        for step, prefixes in STEPS.items():
            if path and path.startswith(prefixes):
                return step, path
    return "loop", None


def by_address(dump, binary):
    """Instructions by the address of `binary` that ran or called them, and an address that begins a function, with its
    name. Of the C library only the calls count."""
    costs = collections.Counter()
    ours, callee, holder = str(binary), None, None
    known, is_call, whole = None, False, 0
    for line in dump.read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and key == "ob":
            callee = holder = value
        elif equals and key == "fn":
            function, callee = value, holder
        elif line.startswith("summary:"):
            whole = int(line.split()[1])
        elif equals and key == "cob":
            callee = value
        elif equals and key == "calls":
            is_call = True
        elif line.startswith("0x"):
            fields = line.split()
            address = int(fields[0], 16)
            if function.startswith(COUNTED) and holder == ours:
                known = min(known or address, address)
            # Whatever led to the function that is counted stands there too, as a call that took all of it.
            if holder == ours and not (is_call and (callee == ours or int(fields[-1]) == whole)):
                costs[address] += int(fields[-1])
            if is_call:
                callee, is_call = holder, False
    return costs, known


def frames_of(addresses, start, binary):
    """The files of the inlined calls at each address, innermost first; `None` for what is not the library's. `start` is where the function that is counted was."""
    symbols = subprocess.run(["nm", "--demangle", binary], check=True, stdout=subprocess.PIPE, text=True).stdout
    placed = next(int(line.split()[0], 16) for line in symbols.splitlines() if COUNTED in line)
    asked = "\n".join(hex(address - start + placed) for address in addresses)
    command = ["addr2line", "--exe", binary, "--inlines", "--addresses"]
    told = subprocess.run(command, input=asked, check=True, stdout=subprocess.PIPE, text=True).stdout
    chains = []
    for line in told.splitlines():
        if line.startswith("0x"):
            chains.append([])
        else:
            path = OURS.search(line)
            chains[-1].append(path and path[1])
    return dict(zip(addresses, chains))
