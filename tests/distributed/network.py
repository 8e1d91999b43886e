"""Hosts for tests: network namespaces of this machine, one a rank, joined by links with delay and loss.

Delay and loss are netem's where the kernel has it, and else those of tap_switch, a small switch of ours. Needs
root. mpirun starts ranks in the namespaces by an agent of its own in place of ssh."""
import os
import pathlib
import stat
import subprocess
import tempfile
import threading
import time

PREFIX = "10.77.0."
DEVICE = "eth0"


def why_not():
    """Why there can be no namespaces here; None: there can."""
    if os.geteuid() != 0:
        return "needs root: network namespaces"
    probe = subprocess.run(["ip", "netns", "add", f"hwprobe{os.getpid()}"], capture_output=True, text=True)
    if probe.returncode != 0:
        return "no network namespaces here: " + probe.stderr.strip()
    subprocess.run(["ip", "netns", "del", f"hwprobe{os.getpid()}"], check=False)
    if not has_netem() and not os.path.exists("/dev/net/tun"):
        return "neither netem nor TAP devices here"
    return None


def has_netem():
    space = f"hwnetem{os.getpid()}"
    run("ip", "netns", "add", space)
    try:
        inside = ["ip", "netns", "exec", space]
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=False)
        tried = subprocess.run([*inside, "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"],
                               capture_output=True)
        return tried.returncode == 0
    finally:
        subprocess.run(["ip", "netns", "del", space], check=False)


def run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True)


class Network:
    """`hosts` namespaces; use as a context. delay_us: from one host to another, one way."""

    def __init__(self, hosts, switch, delay_us=0):
        self.names = [f"hw{os.getpid()}x{i}" for i in range(hosts)]
        self.switch_program = str(switch)
        self.delay_us = delay_us
        self.by_netem = has_netem()
        self.switch = None
        self.jobs = []
        self.directory = tempfile.TemporaryDirectory(prefix="hw")

    def __enter__(self):
        try:
            for name in self.names:
                run("ip", "netns", "add", name)
            self._join()
            for i, name in enumerate(self.names):
                inside = ["ip", "-n", name]
                run(*inside, "link", "set", "lo", "up")
                run(*inside, "addr", "add", f"{PREFIX}{i + 1}/24", "dev", DEVICE)
                run(*inside, "link", "set", DEVICE, "up")
            self._write_agent()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        for job in self.jobs:
            if job.process.poll() is None:
                job.kill()
        if self.switch is not None:
            self.switch.stdin.close()
            self.switch.wait(10)
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        if self.by_netem:
            subprocess.run(["ip", "link", "del", self._bridge()], check=False, capture_output=True)
        self.directory.cleanup()

    def _bridge(self):
        return f"hb{os.getpid()}"

    def _join(self):
        if not self.by_netem:
            self.switch = subprocess.Popen([self.switch_program, DEVICE, str(self.delay_us), *self.names], text=True,
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            if self.switch.stdout.readline() != "ready\n":
                raise RuntimeError("tap_switch did not start")
            return
        run("ip", "link", "add", self._bridge(), "type", "bridge")
        run("ip", "link", "set", self._bridge(), "up")
        for i, name in enumerate(self.names):
            end = f"hv{os.getpid()}x{i}"
            run("ip", "link", "add", end, "type", "veth", "peer", "name", DEVICE, "netns", name)
            run("ip", "link", "set", end, "master", self._bridge(), "up")
            run("ip", "netns", "exec", name, "tc", "qdisc", "add", "dev", DEVICE, "root", "netem", "delay",
                f"{self.delay_us}us")

    def lose(self, host, percent):
        """From now on so many frames to and from that host are lost."""
        if not self.by_netem:
            self._tell(f"loss {host} {percent}")
            return
        for where in (["ip", "netns", "exec", self.names[host], "tc", "qdisc", "change", "dev", DEVICE],
                      ["tc", "qdisc", "replace", "dev", f"hv{os.getpid()}x{host}"]):
            run(*where, "root", "netem", "delay", f"{self.delay_us}us", "loss", f"{percent}%")

    def set_delay(self, delay_us):
        self.delay_us = delay_us
        if not self.by_netem:
            self._tell(f"delay {delay_us}")
            return
        for name in self.names:
            run("ip", "netns", "exec", name, "tc", "qdisc", "change", "dev", DEVICE, "root", "netem", "delay",
                f"{delay_us}us")

    def _tell(self, command):
        self.switch.stdin.write(command + "\n")
        self.switch.stdin.flush()
        self.switch.stdout.readline()

    def path(self, name):
        return os.path.join(self.directory.name, name)

    # mpirun calls it as it would ssh: HOST COMMAND. Each host has a name of its own, too.
    def _write_agent(self):
        names = " ".join(self.names)
        self._write("agent.sh", f"""#!/bin/sh
names="{names}"
number=${{1##*.}}
shift
name=$(echo $names | cut -d' ' -f$number)
exec ip netns exec $name unshare --uts sh -c "hostname $name; $*"
""")
        # Notes a rank's process, what it says and how it ended where others see it, also when its host is cut off.
        self._write("rank.sh", f"""#!/bin/sh
"$@" 2>{self.path('err.')}$OMPI_COMM_WORLD_RANK &
echo $! > {self.path('pid.')}$OMPI_COMM_WORLD_RANK
wait $!
echo $? > {self.path('status.')}$OMPI_COMM_WORLD_RANK
""")

    def _write(self, name, text):
        path = pathlib.Path(self.path(name))
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def start(self, command, ranks, environment=None, recovery=True):
        """mpirun with `ranks` ranks, one on each of the first hosts; a Job."""
        for name in os.listdir(self.directory.name):
            if name.startswith(("pid.", "status.", "err.")):
                os.unlink(self.path(name))
        hosts = ",".join(f"{PREFIX}{i + 1}:1" for i in range(ranks))
        mca = {"plm_rsh_agent": self.path("agent.sh"), "btl": "tcp,self", "btl_tcp_if_include": DEVICE,
               "oob_tcp_if_include": DEVICE, "orte_keep_fqdn_hostnames": "1", "plm_rsh_no_tree_spawn": "1"}
        options = [word for key, value in mca.items() for word in ("--mca", key, value)]
        if recovery:
            options.append("--enable-recovery")
        variables = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                         TMPDIR=self.directory.name, **(environment or {}))
        exported = [word for name in (environment or {}) for word in ("-x", name)]
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.names[0], "unshare", "--uts", "sh", "-c",
             f'hostname {self.names[0]}; exec "$@"', "sh", "mpirun", *options, *exported, "--host", hosts, "-n",
             str(ranks), self.path("rank.sh"), *command],
            env=variables, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.jobs.append(Job(self, process, ranks))
        return self.jobs[-1]


class Job:
    def __init__(self, network, process, ranks):
        self.network = network
        self.process = process
        self.ranks = ranks
        self.stdout, self.stderr = [], []
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((process.stdout, self.stdout), (process.stderr, self.stderr))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.append(line)

    def pid(self, rank):
        return int(self._noted("pid", rank, 30))

    def status(self, rank, seconds):
        """How a rank ended; None: it has not within that time."""
        text = self._noted("status", rank, seconds)
        return None if text is None else int(text)

    def _noted(self, what, rank, seconds):
        path = self.network.path(f"{what}.{rank}")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if os.path.exists(path) and os.path.getsize(path) > 0:
                with open(path, encoding="ascii") as file:
                    return file.read()
            time.sleep(0.02)
        return None

    def wait_for_text(self, text, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if text in "".join(self.stdout):
                return True
            time.sleep(0.05)
        return False

    def wait(self, seconds):
        """Ends it at the latest then: mpirun itself may wait for a host that is gone."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        for reader in self.readers:
            reader.join(10)
        said = []
        for rank in range(self.ranks):
            path = pathlib.Path(self.network.path(f"err.{rank}"))
            said.append(path.read_text(encoding="utf-8") if path.exists() else "")
        return "".join(self.stdout), "".join(self.stderr) + "".join(said)

    def kill(self):
        for rank in range(self.ranks):
            text = self._noted("pid", rank, 0.1)
            if text is not None:
                try:
                    os.kill(int(text), 9)
                except ProcessLookupError:
                    pass
        # orteds of hosts that are cut off end with their namespaces' processes.
        for name in self.network.names:
            found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
            for pid in found.stdout.split():
                try:
                    os.kill(int(pid), 9)
                except ProcessLookupError:
                    pass
        self.process.wait(10)
