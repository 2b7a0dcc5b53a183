"""The figures of all rounds as tables: for a terminal, or in Markdown; and what not to read in them."""

import datetime
import os
import pathlib
import platform
import re
import statistics

from servers import TITLES, version

UNFAIR = """\
What would be an unfair reading:

- As a server's capacity: client and server share a machine, its caches and memory, and over loopback there is no
  network card. Compare within one run, not with figures from elsewhere.
- As a difference in the servers' own code: nearly all of the time is the kernel's, the same for everybody, and
  includes handing the answer to the client's socket; the bare echo is all kernel. The user column is the server's own
  share, but it is sampled by the tick: its sum with the system column is exact, the split is not.
- As a cost at rest: a server with a full queue takes many packets at once and pays less for each. Here 200 queries are
  in flight, and the faster a server empties its queue, the smaller are its batches: past some rate it pays for that.
- Two figures closer than the spread of one.
- Of geo: gdnsd's rules and ours are the same, its scopes are not; what agrees was counted before. With the small
  database of the tests nothing misses a cache. Nested is as deep as gdnsd nests: nothing goes below its weighted.
- Of TCP: eight connections that stay open, with 25 queries in each; opening one costs more than all of that.
- Of two workers: both cores are the client's too, so the throughput cannot double and is not what is compared. What two
  workers cost each other shows in the CPU for each query; twice the ratio is what two cores would do if they had
  nothing else to do. Batches differ a little, since three threads share two cores in one case and four in the other.
- Of round trips: on an idle virtual machine most of one is two cores that are woken up. One client, always the same."""


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def of(rows, case, server):
    return [row for row in rows if row["case"] == case and row["server"] == server]


def split(rows, tick):
    """User and system µs: the exact total, divided as the ticks of all rounds are."""
    total = median(rows, "us")
    user, system = (sum(row[key] for row in rows) for key in ("user_ticks", "system_ticks"))
    part = total * user / max(user + system, 1)
    return part, total - part, total


def ratio(rows, base):
    """Ours over theirs, round by round, so that a machine that was slower for a while weighs on both sides."""
    if not rows or not base:
        return "–"
    return f"{statistics.median(a['us'] / b['us'] for a, b in zip(rows, base)):.2f}"


def cost(rows, chosen, tick):
    peers = [name for name in ("gdnsd", "knot", "nsd") if any(row["server"] == name for row in rows)]
    head = ["CPU µs a query: user + system", *(TITLES[name] for name in ("ours", *peers))]
    head += [f"÷ {TITLES[name]}" for name in peers]
    body = []
    for case in chosen:
        line = [case.what]
        for name in ("ours", *peers):
            found = of(rows, case.name, name)
            line.append("{:.2f} + {:.2f} = {:.2f}".format(*split(found, tick)) if found else "–")
        line += [ratio(of(rows, case.name, "ours"), of(rows, case.name, name)) for name in peers]
        body.append(line)
    echoed = of(rows, "echo", "echo")
    if echoed:
        body.append(["a bare echo through our sockets", "{:.2f} + {:.2f} = {:.2f}".format(*split(echoed, tick))])
        body[-1] += ["–"] * (len(head) - 2)
    return head, body


def rates(rows, chosen):
    names = [name for name in TITLES if any(row["server"] == name and "qps" in row for row in rows)]
    head = ["queries/s, as fast as one client core asks", *(TITLES[name] for name in names)]
    body = []
    for case in chosen:
        cells = [of(rows, case.name, name) for name in names]
        body.append([case.what, *(f"{median(found, 'qps'):,.0f}" if found else "–" for found in cells)])
    return head, body


def workers(rows):
    head = ["four addresses", "CPU µs a query: one worker", "two workers", "2 × one ÷ two", "busier of two", "queries/s: one", "two"]
    body = []
    for name, title in TITLES.items():
        one, two = of(rows, "workers-1", name), of(rows, "workers-2", name)
        if one and two:
            scale = statistics.median(2 * a["us"] / b["us"] for a, b in zip(one, two))
            cells = [f"{median(one, 'us'):.2f}", f"{median(two, 'us'):.2f}", f"{scale:.2f}", f"{median(two, 'busiest'):.0%}"]
            body.append([title, *cells, f"{median(one, 'qps'):,.0f}", f"{median(two, 'qps'):,.0f}"])
    return head, body


def trips(rows):
    head = ["one query in flight, µs there and back", "median", "99th percentile"]
    body = []
    for name, title in TITLES.items():
        found = of(rows, "round-trips", name)
        if found:
            body.append([title, f"{median(found, 'median'):.1f}", f"{median(found, 'p99'):.1f}"])
    return head, body


def spread(rows, chosen):
    """Of each cell, how far its rounds lie apart; the widest, and the middle one."""
    apart = []
    for case in chosen:
        for name in TITLES:
            costs = [row["us"] for row in of(rows, case.name, name)]
            if costs:
                apart.append((max(costs) - min(costs)) / statistics.median(costs))
    if not apart:
        return ""
    return f" The rounds of one figure lie {statistics.median(apart):.0%} apart (median), at most {max(apart):.0%}."


def quiet(rows):
    """How much else ran; past a twentieth of a core it shows in the figures."""
    others = [row["others"] for row in rows if "others" in row]
    if not others:
        return ""
    noisy = " THE MACHINE WAS BUSY WITH SOMETHING ELSE: measure again." if statistics.median(others) > 0.05 else ""
    return f" Other programs took {statistics.median(others):.0%} of a core (median), at most {max(others):.0%}.{noisy}"


def machine():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    cores = len(os.sched_getaffinity(0))
    return f"{datetime.date.today()}, {cores} cores ({model[1] if model else platform.machine()}), Linux {platform.release()}"


def render(head, body, markdown):
    if not body:
        return ""
    if markdown:
        lines = [head, ["---"] + ["---:"] * (len(head) - 1), *body]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
    widths = [max(len(line[at]) for line in [head, *body]) for at in range(len(head))]
    fit = lambda line: "  ".join(c.ljust(w) if at == 0 else c.rjust(w) for at, (c, w) in enumerate(zip(line, widths)))
    return "\n".join(fit(line) for line in [head, *body]) + "\n"


def show(rows, chosen, options, agreed, database, tick):
    timed = [case for case in chosen if any(row["case"] == case.name for row in rows)]
    # How fast one core asks says little of servers, least where somebody reads no more than the table.
    found = [cost(rows, timed, tick), *([] if options.markdown else [rates(rows, timed)]), workers(rows), trips(rows)]
    shown = [text for text in (render(head, body, options.markdown) for head, body in found) if text]
    names = [name for name in TITLES if any(row["server"] == name for row in rows)]
    versions = ", ".join(filter(None, map(version, names)))
    lost = {f"{TITLES[r['server']]} {r['case']}": r["lost"] for r in rows if r.get("lost")}
    shown.append(
        f"{machine()}. {versions}. {options.rounds} rounds of {options.seconds} s, servers interleaved; medians, the ratios' too: "
        f"of each round's.{spread(rows, timed)}{quiet(rows)} Lost: {', '.join(f'{k} {v}' for k, v in lost.items()) or 'none'}. Database: {pathlib.Path(database).name}."
    )
    if options.markdown:
        return "\n".join(shown)
    shown += ["", "Before the load:"] + [f"  {line}" for line in agreed]
    shown += ["", "Servers, with their configurations as `servers.py` writes them:"]
    shown += [f"  {command}" for command in dict.fromkeys(row["commands"][0] for row in rows)]
    shown += ["", "Clients, each of the last server that it asked:"]
    shown += [f"  {command}" for command in {row["case"]: row["commands"][1] for row in rows}.values()]
    return "\n".join([*shown, "", UNFAIR])


def tsv(rows):
    columns = ["round", "case", "server", "qps", "us", "user_ticks", "system_ticks", "busiest", "answered", "lost", "others", "median", "p99"]
    lines = ["\t".join(columns)]
    for row in rows:
        cells = (row.get(column, "") for column in columns)
        lines.append("\t".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells))
    return "\n".join(lines)
