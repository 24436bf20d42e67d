#!/bin/bash
# kubectl describe csr. Our clusters sign no certificates and serve no requests for them, so a few lines of Python stand in for one that
# does; openssl makes the requests. Ours must say what the real one says.
. "$SOURCE_DIR/tests/e2e/kubectl/compare.sh"
command -v openssl >/dev/null || { echo "skipped: no openssl on this machine"; exit 77; }
end() {
    code=$?
    [ -n "${server:-}" ] && kill "$server"
    finish "$code"
}
trap end EXIT
openssl genrsa -out "$WORK/key" 2048 2>/dev/null
# request NAME SUBJECT ALTERNATIVES MEMBERS: an object of that name
request() {
    set -- "$1" "$2" "$3" "$4" "$(openssl req -new -key "$WORK/key" -subj "$2" ${3:+-addext "subjectAltName=$3"} | base64 -w0)"
    jq -n --arg name "$1" --arg request "$5" --argjson more "$4" \
        '{apiVersion: "certificates.k8s.io/v1", kind: "CertificateSigningRequest", metadata: {name: $name, creationTimestamp: "2024-05-06T07:08:09Z"},
          spec: {request: $request, signerName: "kubernetes.io/kube-apiserver-client", usages: ["client auth"], username: "jane"}, status: {}} * $more' >"$WORK/csrs/$1"
}
mkdir "$WORK/csrs"
request full "/O=team a/O=team b/OU=unit/C=DE/L=Berlin/ST=Land/street=Weg 1/postalCode=123/serialNumber=77/CN=jane" \
    "DNS:a.example,DNS:b.example,IP:10.0.0.1,IP:fd00::1,email:x@y.z,URI:https://u.r/i" \
    '{"metadata": {"labels": {"b": "c", "a": "b"}, "annotations": {"d": "e", "c": "d"}}, "spec": {"expirationSeconds": 90000},
      "status": {"conditions": [{"type": "Approved", "status": "True"}], "certificate": "eA=="}}'
request bare "/CN=plain" "" '{"spec": {"signerName": ""}}'
request denied "/CN=u" "DNS:only" '{"spec": {"expirationSeconds": 600}, "status": {"conditions": [{"type": "Denied", "status": "True"}]}}'
request failed "/O=x" "" '{"status": {"conditions": [{"type": "Approved", "status": "True"}, {"type": "Failed", "status": "True"}]}}'
request both "/CN=u\\/v\\+w" "" '{"status": {"conditions": [{"type": "Approved", "status": "True"}, {"type": "Denied", "status": "True"}], "certificate": "eA=="}}'
jq '.spec.request = "bm90IHBlbQ=="' "$WORK/csrs/bare" >"$WORK/csrs/broken"
cat >"$WORK/server.py" <<'P'
import http.server, json, os, sys
folder = sys.argv[1]
def resources(version, *rows):
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": list(rows)}
def resource(name, kind, namespaced, short):
    return {"name": name, "singularName": kind.lower(), "namespaced": namespaced, "kind": kind, "verbs": ["get", "list"], "shortNames": short}
def csr(name):
    return json.load(open(os.path.join(folder, name)))
CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
GROUP = {"groupVersion": "certificates.k8s.io/v1", "version": "v1"}
ANSWERS = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [{"name": "certificates.k8s.io", "versions": [GROUP], "preferredVersion": GROUP}]},
    "/api/v1": resources("v1", resource("events", "Event", True, ["ev"])),
    "/apis/certificates.k8s.io/v1": resources("certificates.k8s.io/v1", resource("certificatesigningrequests", "CertificateSigningRequest", False, ["csr"])),
}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        path, code = self.path.split("?")[0].rstrip("/"), 200
        name = path[len(CSRS) + 1:]
        if path in ANSWERS:
            body = ANSWERS[path]
        elif path == CSRS:
            body = {"kind": "CertificateSigningRequestList", "apiVersion": "certificates.k8s.io/v1", "metadata": {}, "items": [csr(n) for n in sorted(os.listdir(folder))]}
        elif path.startswith(CSRS) and os.path.exists(os.path.join(folder, name)):
            body = csr(name)
        elif path.endswith("/events"):
            body = {"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": []}
        else:
            code, body = 404, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "NotFound", "code": 404,
                               "message": 'certificatesigningrequests.certificates.k8s.io "%s" not found' % name}
        text = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
P
python3 "$WORK/server.py" "$WORK/csrs" >"$WORK/port" &
server=$!
within 20 "it serves" test -s "$WORK/port"
at=http://127.0.0.1:$(cat "$WORK/port")
for name in full bare denied failed both broken none; do same --server="$at" describe csr "$name"; done
same --server="$at" describe certificatesigningrequests.certificates.k8s.io full bare
same --server="$at" describe --show-events=false csr full
has "the subject" "team b" "$(cat "$WORK/ours.out")"
compared
