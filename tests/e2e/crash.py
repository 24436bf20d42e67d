"""crash.py - the client of test_9_crash.sh: it writes, the cluster is killed, it looks whether its writes are there.

usage: crash.py STOWAGE DATA KUBECTL ROUNDS [SEED]

Each round starts the cluster on the same data directory and compares every object with what was acknowledged before the
last crash; then three writers go on (ConfigMaps over one kept connection; claims with pods over another; a process in a
pod that appends to its volume and calls fsync), and after a moment chosen at random somebody is killed with SIGKILL.
After that nothing of the cluster may be left on the machine.

What is acknowledged is certain. The one write a connection had under way may have happened or not: the next check
accepts both and remembers which. Prints one line a round; ends with 1 and the cause at the first thing that is wrong.
"""
import base64
import collections
import http.client
import json
import os
import random
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time

STOWAGE, DATA, KUBECTL, ROUNDS = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
SEED = int(sys.argv[5]) if len(sys.argv) > 5 else int.from_bytes(os.urandom(4), "big")
VICTIMS = ["api", "helper", "node", "everything"]
START_VICTIMS = ["api", "helper", "everything"]
UP = [STOWAGE, "up", "--data", DATA, "--nodes", "1", "--nodefs", "256Mi"]
KUBECONFIG = os.path.join(DATA, "kubeconfig")
OBJECTS = {"configmaps": 60, "claims": 2}  # how many names a writer uses
rng = random.Random(SEED)


class Wrong(Exception):
    """Something that must not happen."""


PATIENCE = 300  # seconds for anything that must happen, on the busiest machine


def await_that(what, probe):
    """Calls probe() until it returns None; its last answer is the complaint."""
    end = time.monotonic() + PATIENCE
    while True:
        answer = probe()
        if answer is None:
            return
        if time.monotonic() > end:
            raise Wrong(f"{what}: after {PATIENCE} s: {answer}")
        time.sleep(0.01)


# ---- the machine: what of the cluster is there ----

def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode(errors="replace")
    except OSError:
        return ""


def processes():
    """pid -> (parent, start time); zombies do not count."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        after = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        if after and after[0] not in "ZX":
            found[int(pid)] = (int(after[1]), after[19])
    return found


def family(root):
    """The process, its descendants and their namespaces: [(pid, start time)], {"net:[4026…]"}."""
    alive = processes()
    members, spaces = [root], set()
    for pid in members:
        members += [p for p, (parent, _) in alive.items() if parent == pid]
    for pid in members:
        for kind in ("net", "mnt", "pid"):
            try:
                spaces.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
            except OSError:
                pass
    own = {os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "mnt", "pid")}
    return [(pid, alive[pid][1]) for pid in members if pid in alive], spaces - own


def ticks():
    """Now, as /proc tells start times."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def named(members, title):
    return [pid for pid, _ in members if read(f"/proc/{pid}/cmdline").startswith(title)]


def loops():
    return [d for d in os.listdir("/sys/block") if DATA in read(f"/sys/block/{d}/loop/backing_file")]


def left_over(members, spaces, seen):
    """What of these is still there; `seen`: when, since the kernel gives the numbers of namespaces away again."""
    alive = processes()
    stay = [pid for pid, start in members if alive.get(pid, (0, 0))[1] == start]
    stay += [pid for pid in alive if f"__helper\0{DATA}" in read(f"/proc/{pid}/cmdline")]
    stay = [f"{pid} {read(f'/proc/{pid}/cmdline')!r}" for pid in stay]
    if stay:
        return f"processes are left: {stay}"
    for pid in (pid for pid, (_, start) in alive.items() if int(start) < seen):
        for kind in ("net", "mnt", "pid"):
            try:
                if os.readlink(f"/proc/{pid}/ns/{kind}") in spaces:
                    return f"process {pid} ({read(f'/proc/{pid}/cmdline')!r}) is in a {kind} namespace of the cluster"
            except OSError:
                pass
    for mounts in ("/proc/self/mountinfo", "/proc/1/mountinfo"):
        found = [line for line in read(mounts).splitlines() if DATA in line]
        if found:
            return f"mounts are left: {found}"
    return f"loop devices are left: {loops()}" if loops() else None


# ---- the API ----

class Connection:
    """One kept TLS connection with the administrator's token."""

    def __init__(self):
        text = read(KUBECONFIG)
        def one(key):
            return re.search(rf"{key}: *\"?([^\s\"]+)", text).group(1)
        self.host = one("server").split("//")[1]
        self.headers = {"Authorization": "Bearer " + one("token"), "Content-Type": "application/json"}
        self.tls = ssl.create_default_context(
            cadata=base64.b64decode(one("certificate-authority-data")).decode())
        self.http = http.client.HTTPSConnection(self.host, context=self.tls, timeout=PATIENCE)

    def call(self, method, path, body=None, content_type=None):
        headers = dict(self.headers)
        if content_type:
            headers["Content-Type"] = content_type
        self.http.request(method, path, json.dumps(body).encode() if body is not None else None, headers)
        answer = self.http.getresponse()
        return answer.status, json.loads(answer.read() or b"null")


CORE = "/api/v1/namespaces/default/"


class Ledger:
    """What one writer knows: name -> value (absent: no such object). `doubt`: (name, value) of a write under way."""

    def __init__(self, kind, prefix):
        self.kind, self.prefix = kind, prefix
        self.sure, self.doubt, self.acks, self.newest = {}, None, 0, 0
        self.history = collections.deque(maxlen=200)  # for the complaint

    def write(self, conn, method, name, value, body=None, content_type=None, query=""):
        """True if it was acknowledged. A refusal changes nothing; a lost connection leaves the doubt."""
        self.doubt = (name, value)
        path = CORE + self.kind + ("" if method == "POST" else "/" + name) + query
        line = [time.strftime("%H:%M:%S"), method, name, value, query, "no answer"]
        self.history.append(line)
        status, answer = conn.call(method, path, body, content_type)
        line[-1] = status
        if status >= 500:
            raise ConnectionError(answer.get("message"))  # it is dying: who knows
        self.doubt = None
        if status not in (200, 201, 202):
            return False
        self.acks += 1
        if value is None:
            self.sure.pop(name, None)
        else:
            self.sure[name] = value
            self.newest = max(self.newest, int(answer["metadata"]["resourceVersion"]))
        return True

    def check(self, conn, view):
        status, answer = conn.call("GET", CORE + self.kind)
        if status != 200:
            raise Wrong(f"list of {self.kind}: {status} {answer}")
        if int(answer["metadata"]["resourceVersion"]) < self.newest:
            raise Wrong(f"resourceVersion went back: {answer['metadata']} after {self.newest}")
        seen = {o["metadata"]["name"]: o for o in answer["items"] if o["metadata"]["name"].startswith(self.prefix)}
        for name in set(self.sure) | set(seen):
            value = view(seen[name]) if name in seen else None
            allowed = [self.sure.get(name)] + ([self.doubt[1]] if self.doubt and self.doubt[0] == name else [])
            if value not in allowed:
                told = "\n".join(str(line) for line in self.history if line[2] == name)
                raise Wrong(f"{self.kind} {name}: acknowledged {allowed}, there is {seen.get(name)}; before:\n{told}")
            if value is None:
                self.sure.pop(name, None)
            else:
                self.sure[name] = value
        self.doubt = None
        return len(seen)


def configmap_value(obj):
    return obj["data"]["value"]


def live_value(obj):
    return None if obj["metadata"].get("deletionTimestamp") else obj["metadata"]["labels"]["value"]


configmaps, claims, pods = Ledger("configmaps", "w-"), Ledger("persistentvolumeclaims", "w-"), Ledger("pods", "w-")
counter = 0


def next_value():
    global counter
    counter += 1
    return f"v{counter}"


def write_configmap(conn, choice):
    name, value = f"w-{choice.randrange(OBJECTS['configmaps'])}", next_value()
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value}}
    if name not in configmaps.sure:
        done = configmaps.write(conn, "POST", name, value, body)
    elif choice.random() < 0.5:
        done = configmaps.write(conn, "PUT", name, value, body)
    elif choice.random() < 0.5:
        done = configmaps.write(conn, "PATCH", name, value, {"data": {"value": value}}, "application/merge-patch+json")
    else:
        done = configmaps.write(conn, "DELETE", name, None)
    if not done:
        raise Wrong(f"a write of ConfigMap {name} was refused")


def claim_body(name, value):
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "labels": {"value": value}},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}}}


def pod_body(name, value, claim):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"value": value}}, "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "c", "image": "busybox", "command": ["sleep", "1000000"],
                        "volumeMounts": [{"name": "v", "mountPath": "/data"}]}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]}}


def write_claim(conn, choice):
    """A claim, then its pod; and the way back. What is still going away refuses its name for a while."""
    name, value = f"w-{choice.randrange(OBJECTS['claims'])}", next_value()
    done = True
    if name not in claims.sure:
        claims.write(conn, "POST", name, value, claim_body(name, value))
    elif name not in pods.sure and choice.random() < 0.7:
        pods.write(conn, "POST", name, value, pod_body(name, value, name))
    elif name in pods.sure:
        done = pods.write(conn, "DELETE", name, None, query="?gracePeriodSeconds=0" if choice.random() < 0.5 else "")
    else:
        done = claims.write(conn, "DELETE", name, None)
    if not done:
        raise Wrong(f"a deletion of {name} was refused: {list(pods.history)[-3:]} {list(claims.history)[-3:]}")
    time.sleep(choice.random() * 0.15)


class Writer(threading.Thread):
    def __init__(self, step):
        super().__init__(daemon=True)
        self.step, self.stop, self.wrong, self.choice = step, False, None, random.Random(rng.random())

    def run(self):
        try:
            conn = Connection()
            while not self.stop:
                self.step(conn, self.choice)
        except Wrong as e:
            self.wrong = e
        except (OSError, http.client.HTTPException, ValueError):
            pass  # the cluster was killed


# ---- a volume's bytes ----

KEEPER = "keeper"
APPEND = 'i=0; while :; do i=$((i+1)); echo "%s.$i" >>/data/log && sync -d /data/log && echo "%s.$i"; done'


class Appender(threading.Thread):
    """Appends to a file in the keeper's volume; a line that comes back was synced before."""

    lines = []  # acknowledged, over all rounds

    def __init__(self, number):
        super().__init__(daemon=True)
        script = APPEND % (number, number)
        self.process = subprocess.Popen([KUBECTL, "exec", KEEPER, "--", "sh", "-c", script],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def run(self):
        for line in self.process.stdout:
            if line.endswith("\n"):
                Appender.lines.append(line.strip())

    def end(self):
        self.process.kill()
        self.process.wait()
        self.join(PATIENCE)


def check_bytes():
    content = []

    def probe():
        got = subprocess.run([KUBECTL, "exec", KEEPER, "--", "cat", "/data/log"], capture_output=True, text=True,
                             timeout=PATIENCE, check=False)
        if got.returncode == 0:
            content[:] = got.stdout.split("\n")
        return got.stderr.strip() or "no answer" if got.returncode else None

    await_that("the keeper runs again", probe)
    missing = set(Appender.lines) - set(content)
    if missing:
        raise Wrong(f"bytes that were synced are gone: {sorted(missing)[:5]} … of {len(Appender.lines)} lines")


# ---- the cluster ----

class Cluster:
    port = 0  # the same in every round: a socket that is left would block it

    def __init__(self, wait=True):
        self.log = open(os.path.join(os.path.dirname(DATA), "up.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(UP + ["--listen", f"127.0.0.1:{Cluster.port}"], stdout=subprocess.PIPE,
                                        stderr=self.log, stdin=subprocess.DEVNULL, text=True)
        self.members, self.spaces, self.seen = [], set(), 0
        if wait:
            line = self.process.stdout.readline()
            if not line.startswith("Cluster ready"):
                self.process.wait(PATIENCE)
                raise Wrong(f"no start: {self.words()}")
            Cluster.port = int(re.search(r":(\d+) in", line).group(1))

    def words(self):
        self.log.seek(0)
        return self.log.read()

    def look(self):
        self.seen = ticks()
        self.members, self.spaces = family(self.process.pid)

    def kill(self, victim):
        """Kills it; returns who it was in the end (a helper may not be there yet)."""
        self.look()
        targets = {"api": [self.process.pid], "helper": named(self.members, "stowage node helper"),
                   "node": named(self.members, "stowage node controlplane"),
                   "everything": [pid for pid, _ in self.members]}[victim]
        if not targets:
            victim, targets = "api", [self.process.pid]
        rng.shuffle(targets)
        for pid in targets:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return victim

    def ended(self, victim, started):
        """Nothing is left; and an API process that was not killed itself said why it ends."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired as e:
            raise Wrong(f"the API process runs on without its {victim}") from e
        self.look_for_rest()
        if victim in ("helper", "node") and code != -signal.SIGKILL:
            if code != 1:
                raise Wrong(f"exit code {code} after the death of the {victim}: {self.words()}")
            told = [line for line in self.words().splitlines() if line.startswith("stowage: ")]
            if started and (len(told) != 1 or "died" not in told[0]):
                raise Wrong(f"not one clear line after the death of the {victim}: {self.words()}")
        if "AddressSanitizer" in self.words() or "runtime error" in self.words():
            raise Wrong(self.words())
        self.process.stdout.close()
        self.log.close()

    def look_for_rest(self):
        await_that("nothing is left", lambda: left_over(self.members, self.spaces, self.seen))

    def stop(self):
        self.look()
        subprocess.run([STOWAGE, "down", "--data", DATA], check=True, capture_output=True, timeout=PATIENCE)
        self.process.wait(PATIENCE)
        self.look_for_rest()
        self.log.close()


def files():
    return sorted(os.path.relpath(os.path.join(top, name), DATA) for top, _, names in os.walk(DATA)
                  for name in names if "/images/" not in os.path.join(top, name))


def check_everything():
    conn = Connection()
    count = configmaps.check(conn, configmap_value)
    claims.check(conn, live_value)
    pods.check(conn, live_value)
    return count


def acknowledged():
    return configmaps.acks, claims.acks + pods.acks, len(Appender.lines)


def all_write(writers, before):
    """A complaint while one of them has nothing acknowledged since `before`."""
    for writer in writers:
        if writer.wrong:
            raise writer.wrong
    now = acknowledged()
    return None if all(n > b for n, b in zip(now, before)) else f"acknowledged {now} after {before}"


def killed_at_work(number):
    cluster = Cluster()
    seen = check_everything()
    check_bytes()
    writers = [Writer(write_configmap), Writer(write_claim)]
    appender = Appender(number)
    before = acknowledged()
    appender.start()
    for writer in writers:
        writer.start()
    await_that("every writer writes", lambda: all_write(writers, before))
    time.sleep(rng.uniform(0.05, 0.4))
    victim = cluster.kill(VICTIMS[number % len(VICTIMS)])
    for writer in writers:
        writer.stop = True
        writer.join(PATIENCE)
        if writer.is_alive():
            raise Wrong("a request hangs")
        if writer.wrong:
            raise writer.wrong
    cluster.ended(victim, True)
    appender.end()
    return f"{victim} at work, {seen} ConfigMaps seen, {' + '.join(map(str, acknowledged()))} acknowledged so far"


def killed_at_first_start(number):
    """In the middle of making keys, filesystems, objects: the next start goes on from whatever is there."""
    shutil.rmtree(DATA, ignore_errors=True)
    text = killed_at_start(number)
    cluster = Cluster()
    cluster.stop()
    return "for the first time: " + text


def killed_at_start(number):
    cluster = Cluster(wait=False)
    time.sleep(rng.uniform(0, 0.25))
    victim = cluster.kill(START_VICTIMS[number % len(START_VICTIMS)])
    cluster.ended(victim, False)
    return f"{victim} while it started"


def make_keeper():
    conn = Connection()
    for path, body in (("persistentvolumeclaims", claim_body(KEEPER, "k")), ("pods", pod_body(KEEPER, "k", KEEPER))):
        status, answer = conn.call("POST", CORE + path, body)
        if status != 201:
            raise Wrong(f"{path}: {status} {answer}")
    await_that("the keeper runs", lambda: conn.call("GET", CORE + "pods/keeper")[1]["status"].get("phase")
           if conn.call("GET", CORE + "pods/keeper")[1]["status"].get("phase") != "Running" else None)
    subprocess.run([KUBECTL, "exec", KEEPER, "--", "touch", "/data/log"], check=True)


def wait_all_running(conn):
    def probe():
        phases = {p["metadata"]["name"]: p["status"].get("phase") for p in conn.call("GET", CORE + "pods")[1]["items"]}
        return str(phases) if set(phases.values()) != {"Running"} else None
    await_that("all pods run again", probe)


def delete_everything(conn):
    conn.call("DELETE", CORE + "pods?gracePeriodSeconds=0")
    conn.call("DELETE", CORE + "persistentvolumeclaims")

    def probe():
        rest = [conn.call("GET", path)[1]["items"] for path in (
            CORE + "pods", CORE + "persistentvolumeclaims", "/api/v1/persistentvolumes",
            "/apis/storage.k8s.io/v1/volumeattachments")]
        return str([[o["metadata"]["name"] for o in items] for items in rest]) if any(rest) else None
    await_that("everything that was deleted goes", probe)


ON_NODE = "ls -d /var/lib/kubelet/pods/* /var/lib/kubelet/plugins/*/csi/*/* /var/log/pods/* " \
          "/var/lib/containerd/*/k8s.io/* 2>/dev/null"


def rest_on_node():
    """Nothing of a pod that is gone stays on the node's disk or among the disks."""
    def probe():
        got = subprocess.run([STOWAGE, "shell", "--data", DATA, "--", "sh", "-c", ON_NODE], capture_output=True,
                             text=True, stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False).stdout.split()
        disks = os.listdir(os.path.join(DATA, "disks"))
        return f"{len(got)} directories of pods on the node: {got[:6]}; disks {disks}" if got or disks else None
    await_that("nothing of deleted pods is left", probe)


def main():
    print(f"seed {SEED}", flush=True)
    os.environ["KUBECONFIG"] = KUBECONFIG
    firsts = ROUNDS // 8
    for number in range(1, firsts + 1):
        print(f"{number}: {killed_at_first_start(number)}", flush=True)
    cluster = Cluster()
    make_keeper()
    cluster.stop()
    before = files()
    for number in range(firsts + 1, ROUNDS + 1):
        began = time.monotonic()
        text = killed_at_start(number) if number % 5 == 0 else killed_at_work(number)
        print(f"{number}: {text} ({time.monotonic() - began:.1f} s)", flush=True)
    cluster = Cluster()
    check_everything()
    check_bytes()
    conn = Connection()
    wait_all_running(conn)
    delete_everything(conn)
    rest_on_node()
    cluster.stop()
    new = [f for f in set(files()) - set(before)]
    if new:
        raise Wrong(f"files are left: {new}")


try:
    main()
except Wrong as problem:
    print(f"FAILED: {problem}", flush=True)
    sys.exit(1)
