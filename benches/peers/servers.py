"""How each server is set up in a folder and started: all names of all cases in one configuration."""

import os
import pathlib
import re
import shutil
import subprocess

from cases import FOUR, SITES, WEIGHTS, ZONE

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = ROOT / "target" / "release" / "bellwether"
ABOUT = {"gdnsd": ["gdnsd", "-h"], "knot": ["knotd", "--version"], "nsd": ["nsd", "-v"], "ours": [str(OURS), "--version"]}
TITLES = {"ours": "Bellwether", "gdnsd": "gdnsd", "knot": "Knot DNS", "nsd": "NSD", "echo": "bare echo"}


def gdnsd(folder, port, workers, database):
    (folder / "zones").mkdir()
    names = ("weighted", "weighted!four"), ("geo", "geoip!geo"), ("nested", "geoip!nested")
    (folder / "zones" / "example.com").write_text(ZONE + "".join(f"{n} 60 DYNA {p}\n" for n, p in names))
    (folder / "config").write_text(
        f"options => {{ listen => [ 127.0.0.1:{port} ], udp_threads => {workers}, tcp_threads => 1,\n"
        f"  run_dir => {folder}/run, state_dir => {folder}/state }}\n" + gdnsd_plugins(database)
    )
    return ["gdnsd", "-c", str(folder), "start"]


def gdnsd_plugins(database):
    members = lambda net: f"m0 => [ {net}.1, 3 ], m1 => [ {net}.2, 1 ]"
    four = ", ".join(f"m{i} => [ {a}, {w} ]" for i, (a, w) in enumerate(zip(FOUR, WEIGHTS)))
    weighted = "\n".join(f"  {site}-{at} => {{ {members(of['net'])} }}" for site, of in SITES.items() for at in "ab")
    metafo = "\n".join(
        f"  {site} => {{ datacenters => [ a, b ], dcmap => {{ a => %weighted!{site}-a, b => %weighted!{site}-b }} }}"
        for site in SITES
    )
    default = list(SITES)[0]
    # gdnsd's rules are a tree: continent, country, subdivision.
    tree = {}
    for site, of in SITES.items():
        for continent in of["continents"]:
            tree.setdefault(continent, {})["default"] = site
    tree["AS"]["TR"] = tree["EU"]["TR"] = "eu"
    states = {place.split("-")[1]: site for site, of in SITES.items() for place in of["subdivisions"]}
    tree["NA"]["US"] = {"default": tree["NA"]["default"], **states}
    written = lambda node: f"[ {node} ]" if isinstance(node, str) else (
        "{ " + ", ".join(f"{key} => {written(below)}" for key, below in node.items()) + " }"
    )  # fmt: skip
    return f"""plugins => {{
weighted => {{ four => {{ {four} }}
{weighted} }}
metafo => {{ resources => {{
{metafo} }} }}
geoip => {{
 maps => {{ world => {{ geoip2_db => {database}, datacenters => [ {", ".join([default, *list(SITES)[1:]])} ],
  map => {written({**tree, "default": default})} }} }}
 resources => {{
  geo => {{ map => world, dcmap => {{ {", ".join(f"{s} => {of['net']}.1" for s, of in SITES.items())} }} }}
  nested => {{ map => world, dcmap => {{ {", ".join(f"{s} => %metafo!{s}" for s in SITES)} }} }} }} }} }}
"""


def knot(folder, port, workers, _):
    (folder / "example.com.zone").write_text(ZONE)
    (folder / "knot.conf").write_text(
        f"server:\n    rundir: {folder}\n    listen: 127.0.0.1@{port}\n"
        f"    udp-workers: {workers}\n    tcp-workers: 1\n    background-workers: 1\n"
        f"database:\n    storage: {folder}\n"
        "log:\n  - target: stderr\n    any: error\n"
        f"zone:\n  - domain: example.com\n    storage: {folder}\n    file: example.com.zone\n"
        "    zonefile-sync: -1\n    journal-content: none\n"
    )
    return ["knotd", "-c", str(folder / "knot.conf")]


def nsd(folder, port, workers, _):
    (folder / "example.com.zone").write_text(ZONE)
    (folder / "nsd.conf").write_text(
        f'server:\n    ip-address: 127.0.0.1@{port}\n    server-count: {workers}\n    username: ""\n    pidfile: ""\n'
        f'    database: ""\n    xfrdfile: ""\n    zonesdir: {folder}\n    xfrdir: {folder}\n'
        f"    zonelistfile: {folder}/zone.list\n    minimal-responses: yes\n"
        # Without it all its processes share one socket, where the others have one each.
        f"    reuseport: yes\n"
        # Its limit of 200 answers a second to one client is for attacks, not for this.
        "    rrl-ratelimit: 0\n"
        "remote-control:\n    control-enable: no\n"
        "zone:\n    name: example.com\n    zonefile: example.com.zone\n"
    )
    return ["nsd", "-d", "-c", str(folder / "nsd.conf")]


def ours(folder, port, workers, database):
    zones = folder / "zones"
    zones.mkdir()
    (zones / "example.com.zone").write_text(ZONE)
    (zones / "example.com.toml").write_text(ours_policy())
    (folder / "bellwether.toml").write_text(
        f'zones = "zones"\nlisten = ["127.0.0.1:{port}"]\nworkers = {workers}\n[geo]\ndatabases = ["{database}"]\n'
    )
    return [str(OURS), "serve", "--config", str(folder / "bellwether.toml")]


def ours_policy():
    rows = lambda pairs: ", ".join(f'{{ name = "m{i}", address = "{a}", weight = {w} }}' for i, (a, w) in enumerate(pairs))
    pools = [f'[pools.four]\npolicy = "weighted"\nendpoints = [{rows(zip(FOUR, WEIGHTS))}]']
    claims = {}
    for site, of in SITES.items():
        made = [(kind, of[kind]) for kind in ("continents", "countries", "subdivisions") if of[kind]]
        claims[site] = "".join(f", {kind} = [{', '.join(map(repr, codes))}]" for kind, codes in made)
        for at in "ab":
            members = rows([(f"{of['net']}.1", 3), (f"{of['net']}.2", 1)])
            pools.append(f'[pools.{site}-{at}]\npolicy = "weighted"\nendpoints = [{members}]')
        pools.append(f'[pools.{site}]\npolicy = "failover"\nmembers = ["{site}-a", "{site}-b"]')
    default = list(SITES)[0]
    near = ",\n".join(f'  {{ name = "{s}", address = "{of["net"]}.1"{claims[s]} }}' for s, of in SITES.items())
    deep = ",\n".join(f'  {{ pool = "{s}"{claims[s]} }}' for s in SITES)
    pools.append(f'[pools.geo]\npolicy = "geo"\nendpoints = [\n{near},\n]\notherwise = "{default}"')
    pools.append(f'[pools.nested]\npolicy = "geo"\nmembers = [\n{deep},\n]\notherwise = "{default}"')
    names = [f'{name} = {{ pool = "{pool}" }}' for name, pool in (("weighted", "four"), ("geo", "geo"), ("nested", "nested"))]
    return "\n\n".join(pools + ["[names]\n" + "\n".join(names)]) + "\n"


SETUP = {"ours": ours, "gdnsd": gdnsd, "knot": knot, "nsd": nsd}
PACKAGES = {"gdnsd": "gdnsd", "knotd": "knot", "nsd": "nsd", "dnsperf": "dnsperf"}
PROGRAMS = {"gdnsd": "gdnsd", "knot": "knotd", "nsd": "nsd"}


def version(name):
    """One line that says which it is."""
    if name not in ABOUT:
        return None
    shown = subprocess.run(ABOUT[name], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    lines = [line for line in (shown.stdout + shown.stderr).splitlines() if re.search(r"\d+\.\d+", line)]
    return re.sub(r" @ pid \d+", "", lines[0]).strip() if lines else name


def install(names):
    """Installs what is missing of the servers and of the client."""
    # Daemons live where an ordinary user's PATH does not look.
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    needed = {"dnsperf", *(PROGRAMS[name] for name in names if name in PROGRAMS)}
    missing = [PACKAGES[program] for program in sorted(needed) if not shutil.which(program)]
    if missing:
        subprocess.run([str(ROOT / ".ci" / "install"), *missing], stdin=subprocess.DEVNULL, check=True)
