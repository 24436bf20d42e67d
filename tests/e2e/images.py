"""images.py - images for test_18_images.sh, made without docker; and a registry of one image.

  images.py docker FILE NAME      an archive as `docker save` writes it
  images.py big FILE NAME MIB     the same, with so much that cannot be compressed
  images.py oci DIRECTORY [zstd]  an OCI layout, its layers gzipped, or compressed by the program zstd
  images.py bad KIND FILE         an archive that must be refused
  images.py serve DIRECTORY PORT_FILE   a registry that has the layout's image under every name
"""
import gzip
import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import tarfile

ENTRY = b"""#!/bin/sh
echo "$GREETING $* as $(id -u):$(id -g) in $PWD"
echo volume >/data/file && echo "the volume is writable"
echo root >/root-file 2>/dev/null || echo "the root is not"
trap 'echo bye; exit 0' QUIT TERM
while :; do sleep 0.2; done
"""


def tar_of(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, kind, content, mode, owner in entries:
            info = tarfile.TarInfo(path)
            info.mode, info.uid, info.gid, info.mtime = mode, owner, owner, 1700000000
            info.type = {"f": tarfile.REGTYPE, "d": tarfile.DIRTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE,
                         "c": tarfile.CHRTYPE}[kind]
            if kind in "lh":
                info.linkname = content
            if kind == "c":
                info.devmajor, info.devminor = content
            data = content if kind == "f" else b""
            info.size = len(data)
            if path == "usr/share/noted":
                info.pax_headers = {"SCHILY.xattr.user.note": "kept"}
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def layers():
    with open("/bin/busybox", "rb") as f:
        busybox = f.read()
    tools = "sh id ls cat sleep echo stat find mount getopt test touch".split()
    below = [("bin/busybox", "f", busybox, 0o755, 0)] + [("bin/" + t, "l", "busybox", 0o777, 0) for t in tools]
    below += [
        ("etc/passwd", "f", b"root:x:0:0::/root:/bin/sh\napp:x:1234:5678::/work:/bin/sh\n", 0o644, 0),
        ("etc/group", "f", b"root:x:0:\napp:x:5678:\n", 0o644, 0),
        ("etc/gone", "f", b"below", 0o644, 0),
        ("etc/changed", "f", b"below", 0o644, 0),
        ("opaque/old", "f", b"below", 0o644, 0),
        ("data/", "d", None, 0o770, 1234),
        ("data/seed", "f", b"from the image", 0o644, 1234),
        ("work/", "d", None, 0o755, 1234),
        ("usr/share/owned", "f", b"x", 0o4750, 1234),
        ("usr/share/noted", "f", b"x", 0o644, 0),
    ]
    above = [
        ("bin/entry.sh", "f", ENTRY, 0o755, 0),
        ("etc/.wh.gone", "f", b"", 0o644, 0),
        ("etc/changed", "f", b"above", 0o644, 0),
        ("opaque/.wh..wh..opq", "f", b"", 0o644, 0),
        ("opaque/new", "f", b"above", 0o644, 0),
        ("etc/hard", "h", "etc/changed", 0o644, 0),
    ]
    return [tar_of(below), tar_of(above)]


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def config_of(diffs):
    return json.dumps({
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine), "os": "linux",
        "config": {"Entrypoint": ["/bin/entry.sh"], "Cmd": ["one", "two"], "Env": ["PATH=/bin", "GREETING=hello"],
                   "User": "app", "WorkingDir": "/work", "Volumes": {"/data": {}}, "StopSignal": "SIGQUIT"},
        "rootfs": {"type": "layers", "diff_ids": diffs},
        "history": [{"created_by": "COPY below"}, {"created_by": "COPY above"},
                    {"created_by": "CMD", "empty_layer": True}]}).encode()


def docker(path, name, parts=None):
    parts = parts or layers()
    config = config_of([digest(p) for p in parts])
    members = [("%d/layer.tar" % i, p) for i, p in enumerate(parts)]
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": [m[0] for m in members]}]
    members += [("config.json", config), ("manifest.json", json.dumps(manifest).encode())]
    with open(path, "wb") as f:
        f.write(tar_of([(n, "f", d, 0o644, 0) for n, d in members]))


def big(path, name, mib):
    docker(path, name, layers() + [tar_of([("usr/share/big", "f", os.urandom(int(mib) << 20), 0o644, 0)])])


def oci(path, how="gzip"):
    os.makedirs(path + "/blobs/sha256")

    def put(data, kind):
        with open("%s/blobs/sha256/%s" % (path, digest(data)[7:]), "wb") as f:
            f.write(data)
        return {"mediaType": "application/vnd.oci.image." + kind, "digest": digest(data), "size": len(data)}

    parts = layers()
    config = put(config_of([digest(p) for p in parts]), "config.v1+json")
    pack = {"gzip": lambda p: gzip.compress(p, mtime=0),
            "zstd": lambda p: subprocess.run(["zstd", "-q", "-c"], input=p, stdout=subprocess.PIPE, check=True).stdout}
    packed = [put(pack[how](p), "layer.v1.tar+" + how) for p in parts]
    manifest = put(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                               "config": config, "layers": packed}).encode(), "manifest.v1+json")
    with open(path + "/index.json", "w") as f:
        json.dump({"schemaVersion": 2, "manifests": [manifest]}, f)
    with open(path + "/oci-layout", "w") as f:
        f.write('{"imageLayoutVersion":"1.0.0"}')
    return manifest


def bad(kind, path):
    rows = {
        "climb": [("../../escaped", "f", b"x", 0o644, 0)],
        "through": [("out", "l", "/tmp", 0o777, 0), ("out/escaped", "f", b"x", 0o644, 0)],
        "hardlink": [("passwd", "h", "/etc/passwd", 0o644, 0)],
        "device": [("mem", "c", (1, 1), 0o666, 0)],
    }
    docker(path, "bad:" + kind, [tar_of(rows[kind])])


def serve(path, port_file):
    with open(path + "/index.json") as f:
        manifest = json.load(f)["manifests"][0]["digest"]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            what, ref = self.path.split("/")[-2:]
            ref = manifest if what == "manifests" and not ref.startswith("sha256:") else ref
            blob = "%s/blobs/sha256/%s" % (path, ref[7:])
            if "/nothing/" in self.path or not os.path.exists(blob):
                self.send_error(404)
                return
            with open(blob, "rb") as f:
                data = f.read()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with open(port_file + ".new", "w") as f:
        f.write(str(server.server_address[1]))
    os.rename(port_file + ".new", port_file)
    server.serve_forever()


if __name__ == "__main__":
    {"docker": docker, "big": big, "oci": oci, "bad": bad, "serve": serve}[sys.argv[1]](*sys.argv[2:])
