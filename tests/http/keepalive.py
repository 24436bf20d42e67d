"""keepalive.py - one TLS connection and what can be seen only below HTTP: which records come, and when.

    python3 keepalive.py PORT CA TOKEN PID     prints what is wrong, and fails then
"""
import json
import socket
import ssl
import sys
import threading
import time

PORT, CA, TOKEN, PID = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
MAPS = "/api/v1/namespaces/default/configmaps"
wrong = []
newest = ssl.TLSVersion.TLSv1_3


def expect(what, want, got):
    if want != got:
        wrong.append(f"{what}\n  want: {want}\n  got:  {got}")


class Client:
    """TLS over a socket by hand, so that records can be counted."""

    def __init__(self, receive_buffer=None):
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.connect(("127.0.0.1", PORT))
        self.sock.settimeout(120)
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=CA)
        context.maximum_version = newest
        self.tls = context.wrap_bio(self.into, self.out, server_hostname="127.0.0.1")
        self.raw, self.plain, self.records = b"", b"", 0
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.flush()
                self.into.write(self.sock.recv(65536))
        self.flush()

    def flush(self):
        self.sock.sendall(self.out.read())

    def seal(self, method, path, headers, body=b""):
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
        lines += [f"{k}: {v}" for k, v in headers.items()]
        self.tls.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return self.out.read()

    def fill(self):
        """Takes what the server sends, record by record, and counts those that hold something for us."""
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("the server hung up")
        self.raw += data
        while len(self.raw) >= 5 and len(self.raw) >= 5 + int.from_bytes(self.raw[3:5], "big"):
            n = 5 + int.from_bytes(self.raw[3:5], "big")
            self.into.write(self.raw[:n])
            self.raw = self.raw[n:]
            try:
                self.plain += self.tls.read(65536)
                self.records += 1
            except ssl.SSLWantReadError:
                pass  # a session ticket

    def answer(self, bodyless=False):
        while b"\r\n\r\n" not in self.plain:
            self.fill()
        head, rest = self.plain.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
        n = 0 if bodyless else int(headers["content-length"])
        while len(rest) < n:
            self.fill()
            rest = self.plain.split(b"\r\n\r\n", 1)[1]
        self.plain = rest[n:]
        return int(lines[0].split()[1]), headers, rest[:n]

    def ask(self, method, path, body=None, **headers):
        headers = {"Authorization": f"Bearer {TOKEN}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        text = json.dumps(body).encode() if body is not None else b""
        self.sock.sendall(self.seal(method, path, {k: v for k, v in headers.items() if v}, text))
        return self.answer(method == "HEAD")


def data_of(answer):
    return json.loads(answer[2]).get("data", {}).get("k")


def same_again():
    """Whoever asks again gets what is true now, in the form he wants now, if he may now."""
    c, other = Client(), Client()
    other.ask("POST", MAPS, {"metadata": {"name": "again"}, "data": {"k": "1"}})
    first, second = c.ask("GET", MAPS + "/again"), c.ask("GET", MAPS + "/again")
    expect("the same again", (200, first[2]), (second[0], second[2]))
    expect("its end", b"}\n", second[2][-2:])
    expect("its type", "application/json", second[1].get("content-type"))
    expect("its cache control", "no-cache, private", second[1].get("cache-control"))
    expect("its headers", sorted(first[1]), sorted(second[1]))
    expect("another audit id", True, first[1]["audit-id"] != second[1]["audit-id"])
    expect("the client's audit id", "mine", c.ask("GET", MAPS + "/again", Audit_ID="mine")[1]["audit-id"])
    expect("one audit id", 36, len(c.ask("GET", MAPS + "/again")[1]["audit-id"]))

    expect("YAML", "application/yaml", c.ask("GET", MAPS + "/again", Accept="application/yaml")[1]["content-type"])
    many = c.ask("GET", MAPS + "/again", **{f"X_{i}": "x" for i in range(20)}, Accept="application/yaml")
    expect("the last of many headers", "application/yaml", many[1]["content-type"])
    table = c.ask("GET", MAPS + "/again", Accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    expect("a table", "Table", json.loads(table[2])["kind"])
    expect("indented", b"{\n  ", c.ask("GET", MAPS + "/again?pretty=1")[2][:4])
    expect("HEAD", 405, c.ask("HEAD", MAPS + "/again")[0])
    expect("compact", first[2], c.ask("GET", MAPS + "/again")[2])
    expect("somebody with a wrong token", 401, c.ask("GET", MAPS + "/again", Authorization="Bearer wrong")[0])
    expect("anybody", 403, c.ask("GET", MAPS + "/again", Authorization=None)[0])
    expect("somebody impersonated", 403, c.ask("GET", MAPS + "/again", Impersonate_User="jane")[0])
    expect("after the refusals", first[2], c.ask("GET", MAPS + "/again")[2])

    other.ask("PUT", MAPS + "/again", {"metadata": {"name": "again"}, "data": {"k": "2"}})
    expect("changed", "2", data_of(c.ask("GET", MAPS + "/again")))
    other.ask("DELETE", MAPS + "/again")
    expect("deleted", 404, c.ask("GET", MAPS + "/again")[0])
    other.ask("POST", MAPS, {"metadata": {"name": "again"}, "data": {"k": "3"}})
    expect("made anew", "3", data_of(c.ask("GET", MAPS + "/again")))
    other.ask("POST", MAPS, {"metadata": {"name": "another"}, "data": {"k": "4"}})
    expect("another one", "4", data_of(c.ask("GET", MAPS + "/another")))
    expect("and back", "3", data_of(c.ask("GET", MAPS + "/again")))


def revoked():
    """A token is good as long as its account, also on a connection it was good on."""
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    admin, c = Client(), Client()
    admin.ask("POST", accounts, {"metadata": {"name": "robot"}})
    made = admin.ask("POST", accounts + "/robot/token", {"kind": "TokenRequest", "spec": {"audiences": []}})
    bearer = "Bearer " + json.loads(made[2])["status"]["token"]
    expect("an account's token", 200, c.ask("GET", "/api", Authorization=bearer)[0])
    expect("which may not read", 403, c.ask("GET", MAPS + "/again", Authorization=bearer)[0])
    admin.ask("DELETE", accounts + "/robot")
    expect("without its account", 401, c.ask("GET", "/api", Authorization=bearer)[0])


def records():
    """A small answer is one record, whatever it is."""
    c = Client()
    for what, path in (("an object", MAPS + "/again"), ("it again", MAPS + "/again"), ("a refusal", "/api/v1/nothing"),
                       ("a document", "/version"), ("a list", MAPS)):
        before = c.records
        c.ask("GET", path)
        expect(f"records of {what}", 1, c.records - before)
    big = {"metadata": {"name": "big"}, "data": {"k": "x" * 300000}}
    expect("a big object", 201, c.ask("POST", MAPS, big)[0])
    expect("a big object again", 300000, len(data_of(c.ask("GET", MAPS + "/big"))))
    expect("and a small one", "3", data_of(c.ask("GET", MAPS + "/again")))
    expect("the last", "close", c.ask("GET", MAPS + "/again", Connection="close")[1].get("connection"))
    try:
        while True:
            c.fill()
    except EOFError:
        expect("after the last", b"", c.plain)


def served():
    text = Client().ask("GET", "/metrics")[2].decode()
    return int(text.split("\napiserver_requests ")[1].split("\n")[0])


def ticks():
    return sum(int(n) for n in open(f"/proc/{PID}/stat").read().rsplit(")", 1)[1].split()[11:13])


def unread(together):
    """A client that reads nothing is given no more than fits, costs nothing meanwhile, and gets everything in order once
    it reads: whoever waits for room, we or the HTTP library. So many requests share a record."""
    count = 4000  # 24 MB of answers
    c = Client(receive_buffer=4096)
    before = served()

    def send():
        for first in range(0, count, together):
            c.tls.write(b"".join((f"GET {MAPS}/wide HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
                                  f"Audit-ID: {i}\r\n\r\n").encode() for i in range(first, first + together)))
            c.sock.sendall(c.out.read())

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    for _ in range(60):  # until it goes no further; on a slow machine we read on a little too early
        now, used = served(), ticks()
        time.sleep(1)
        if served() == now + 1 and ticks() - used < 20:
            break
    else:
        expect("a server whose client does not read", "at rest", f"{ticks() - used} ticks a second")
    expect("answers nobody reads", True, served() - before < count)
    for i in range(count):
        answer = c.answer()
        if (answer[0], answer[1]["audit-id"], len(data_of(answer))) != (200, str(i), 6000):
            return expect(f"unread answer {i}", (200, str(i), 6000), (answer[0], answer[1]["audit-id"], len(data_of(answer))))
    sender.join()
    expect("afterwards", 200, c.ask("GET", "/version")[0])


for newest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    same_again()
    revoked()
    records()
    for name in ("again", "another", "big"):
        Client().ask("DELETE", f"{MAPS}/{name}")
Client().ask("POST", MAPS, {"metadata": {"name": "wide"}, "data": {"k": "x" * 6000}})
unread(together=1)
unread(together=20)
print("\n".join(f"FAILED: {w}" for w in wrong), end="\n" if wrong else "")
sys.exit(1 if wrong else 0)
