"""Writes a class of submissions for the claims practice test, with the points each must get.

usage: grade_class.py LAB FOLDER COUNT  ->  FOLDER/<student>…, and "student points" a line on standard output
Of two hundred: 60 folders and 30 archives of manifests, 30 scripts, 20 sessions, 20 that only answer, 20 with a wrong volume, and 20
that do all and then what they can to whoever grades them.
"""
import io, json, os, sys, tarfile

lab, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
VARS = {"pv": "pv-log", "claim": "claim-log-1", "size": "100", "request": "50Mi", "pvpath": "/pv/log", "logs": "/var/log/webapp"}
ALL, ANSWERS, VOLUME = 29, 11, 3


def manifest(name):
    text = open(f"{lab}/solution/{name}.yaml").read()
    for k, v in VARS.items():
        text = text.replace("${%s}" % k, v)
    return text


STEPS = [("q4", "webapp-hostpath"), ("q5", "pv-log"), ("q6", "claim-rwo"), ("q10", "claim-rwx"), ("q12", "webapp-claim")]
DELETE = {"q15": "kubectl delete pvc claim-log-1 --wait=false\n", "q17": "kubectl delete pod webapp\n"}
REPLIES = {"q2": "/log", "q3": "no", "q7": "Pending", "q8": "Available", "q9": "access mode mismatch", "q11": "100Mi", "q13": "Retain",
           "q14": "the volume is not deleted but not available", "q16": "the claim is being used by a pod", "q18": "deleted", "q19": "Released"}
answers = "".join(f'{k}: "{v}"\n' for k, v in REPLIES.items())


def files(volume=None):
    out = {f"{step}.yaml": manifest(name) for step, name in STEPS}
    out.update({f"{step}.sh": text for step, text in DELETE.items()})
    if volume:
        out["q5.yaml"] = out["q5.yaml"].replace("100Mi", volume)
    out["answers.yaml"] = answers
    return out


def commands():
    for step, name in STEPS:
        verb = "create" if step in ("q5", "q6") else "replace --force"
        yield step, f"kubectl {verb} -f - <<'Y'\n{manifest(name)}Y"
        if step == "q12":
            yield step, "kubectl wait --for=condition=Ready pod/webapp --timeout=60s"
    for step, text in DELETE.items():
        yield step, text.strip()


def script(end=""):
    out = "".join(f"# step: {step}\n{line}\n" for step, line in commands())
    out += "".join(f"# step: {step}\n# answer: {text}\n" for step, text in REPLIES.items())
    return out + end


def session():
    rows = [{"time": "2026-01-01T10:00:00Z", "step": s, "line": line, "code": 0} for s, line in commands()]
    rows += [{"time": "2026-01-01T11:00:00Z", "step": s, "answer": {"text": t}} for s, t in REPLIES.items()]
    return "".join(json.dumps(r) + "\n" for r in rows)


HOSTILE = ["sleep 1000000\n", "while :; do :; done\n", "f() { f | f & }; f; sleep 1000000\n", "exec tail -n 1 /dev/zero\n",
           "i=0; while :; do head -c 1M /dev/zero >/tmp/$i || exit 1; i=$((i + 1)); done\n", "kill -9 -1; kill -9 1; exit 0\n",
           "cat ../*/* /proc/*/environ /root/* 2>&1 | head -c 100000\n", "(setsid sleep 1000000 &); exit 0\n", "yes\n",
           "printf '\\033]0;x\\007<script>\\377' >&2; exit 3\n"]


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def as_folder(name, content):
    for file, text in content.items():
        write(f"{folder}/{name}/{file}", text)


def as_archive(name, content):
    with tarfile.open(f"{folder}/{name}.tar.gz", "w:gz") as t:
        for file, text in content.items():
            info = tarfile.TarInfo(f"{name}/{file}")
            info.size = len(text.encode())
            t.addfile(info, io.BytesIO(text.encode()))


KINDS = [(60, "folder", lambda n, i: as_folder(n, files()), ALL), (30, "archive", lambda n, i: as_archive(n, files()), ALL),
         (30, "script", lambda n, i: write(f"{folder}/{n}.sh", script()), ALL),
         (20, "session", lambda n, i: write(f"{folder}/{n}.jsonl", session()), ALL),
         (20, "answers", lambda n, i: as_folder(n, {"answers.yaml": answers}), ANSWERS),
         (20, "volume", lambda n, i: as_folder(n, files("200Mi")), ALL - VOLUME),
         (20, "hostile", lambda n, i: write(f"{folder}/{n}.sh", script("# step: q19\n" + HOSTILE[i % len(HOSTILE)])), ALL)]
os.makedirs(folder, exist_ok=True)
for share, kind, make, points in KINDS:
    for i in range(round(share * count / 200)):
        make(f"{kind}{i:03}", i)
        print(f"{kind}{i:03} {points}")
