"""A server process with its children, in a folder of its own: started, waited for, asked, its CPU read, ended."""

import os
import pathlib
import resource
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from messages import Answer

TICK = os.sysconf("SC_CLK_TCK")


class Running:
    """Ends with the block. `cores` is a list for taskset, such as "0" or "0,1"; it is there once all of `asked` are
    answered, within `patience` seconds."""

    def __init__(self, name, prepare, cores, asked, patience=60):
        self.name, self.prepare, self.cores, self.asked, self.patience = name, prepare, cores, asked, patience

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="bench-")
        self.port = free_port()
        command = self.prepare(pathlib.Path(self.folder.name), self.port)
        self.command = ["taskset", "--cpu-list", self.cores, *command]
        self.log = tempfile.TemporaryFile(mode="w+")
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=self.folder.name
        )
        try:
            self.wait_until_it_answers()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            for pid in family(self.process.pid):
                os.kill(pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()
        self.folder.cleanup()

    def wait_until_it_answers(self):
        deadline = self.started + self.patience
        while not all(ask(self.port, query) for query in self.asked):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                sys.exit(f"{self.name} does not answer: {shlex.join(self.command)}\n{self.log.read()}")
            time.sleep(0.01)
        self.start_seconds = time.monotonic() - self.started

    def tasks(self):
        """Nanoseconds of CPU so far, by thread. Exact, where `stat`'s are counted by the tick."""
        spent = {}
        for pid in family(self.process.pid):
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
                try:
                    spent[task.parent.name] = int(task.read_text().split()[0])
                except (FileNotFoundError, ProcessLookupError):
                    continue
        return spent

    def cpu(self):
        """Seconds of CPU so far, exact, and ticks of user and of system time, sampled, for how they split."""
        user = system = 0
        for pid in family(self.process.pid):
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            # Fields 14 and 15 of proc(5); the first two went with the name.
            user += int(fields[11])
            system += int(fields[12])
        return sum(self.tasks().values()) / 1e9, user, system

    def memory(self):
        """MiB now, of the process and its children, pages that several share counted once; and the most so far of one."""
        now = most = 0
        for pid in family(self.process.pid):
            try:
                now += kib(f"/proc/{pid}/smaps_rollup", "Pss")
                most = max(most, kib(f"/proc/{pid}/status", "VmHWM"))
            except (FileNotFoundError, ProcessLookupError):
                continue
        return now / 1024, max(now, most) / 1024


def kib(file, key):
    return next((int(line.split()[1]) for line in pathlib.Path(file).read_text().splitlines() if line.startswith(f"{key}:")), 0)


class Others:
    """What everything but one server and our clients took of the machine, in cores, while the block ran."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        self.start, self.before = time.monotonic(), self.beside()
        return self

    def __exit__(self, *_):
        self.cores = max(0, (self.beside() - self.before) / (time.monotonic() - self.start))

    def beside(self):
        ticks = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]
        # proc(5): user, nice, system, idle, iowait, irq, softirq, steal.
        busy = sum(int(ticks[at]) for at in (0, 1, 2, 5, 6, 7)) / TICK
        clients = resource.getrusage(resource.RUSAGE_CHILDREN)
        return busy - clients.ru_utime - clients.ru_stime - self.server.cpu()[0]


def family(pid):
    """The process and everything below it: NSD answers from a child."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parents.setdefault(int(stat.read_text().rpartition(") ")[2].split()[1]), []).append(int(stat.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = [pid]
    for member in found:
        found.extend(parents.get(member, []))
    return found


def free_port(taken=set()):
    """A port that is free for UDP and TCP, below those that Linux gives to clients; each only once."""
    for port in range(15300, 32000):
        if port in taken:
            continue
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
                udp.bind(("127.0.0.1", port))
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tcp.bind(("127.0.0.1", port))
                taken.add(port)
                return port
        except OSError:
            continue
    sys.exit("no free port between 15300 and 32000")


def ask(port, query, tcp=False):
    """The answer to `query`; `None` while there is none, or while it is an error of the server's."""
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as client:
        client.settimeout(1 if tcp else 0.2)
        try:
            client.connect(("127.0.0.1", port))
            if not tcp:
                client.send(query)
                octets = client.recv(65535)
            else:
                client.sendall(struct.pack(">H", len(query)) + query)
                stream = client.makefile("rb")
                octets = stream.read(struct.unpack(">H", stream.read(2))[0])
        except (OSError, struct.error):
            return None
    answer = Answer(octets)
    return None if answer.rcode in (2, 5) else answer
