"""by_hand.py STOWAGE KUBECONFIG FOLDER: sits at a prompt of `stowage repl` and does what people do. See test_terminal.sh."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from terminal import Terminal

STOWAGE, KUBECONFIG, FOLDER = sys.argv[1:4]
UP, TAB, CTRL_A, CTRL_C, CTRL_D, CTRL_K, CTRL_R = "\x1b[A", "\t", "\x01", "\x03", "\x04", "\x0b", "\x12"


def begin(*flags, env=None):
    t = Terminal([STOWAGE, "repl", *flags], env)
    t.prompt = None
    return t


def say(what):
    print("== " + what, flush=True)


def completes(t, begun, *whole):
    """Begun, then Tab: it becomes, or is offered, this; then the line is dropped."""
    start = t.seen
    t.send(begun)
    t.expect(begun)
    t.send(TAB)
    t.seen = start
    seen = t.expect(*whole)
    t.send(CTRL_C)
    t.expect("^C", t.prompt)
    return seen


def manifest(name):
    return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\ndata:\n  a: b\n" % name


def at_the_prompt():
    say("commands, and the line that comes back")
    t = begin("--kubeconfig", KUBECONFIG)
    t.prompt = ":default> "
    t.expect("help", t.prompt)
    t.line("get nodes")
    t.expect("NAME", "node01", t.prompt)
    t.send(UP)
    t.expect("get nodes")
    t.send(CTRL_A + CTRL_K)
    t.line("get ns -o name")
    t.expect("namespace/default", t.prompt)
    t.send(UP + UP + " -o name\r")
    t.expect("get nodes -o name", "node/controlplane", t.prompt)

    say("completion: verbs, kinds, names, flags and their values, files, namespaces")
    t.line("unfinished")
    t.expect('no command "unfinished"', t.prompt)
    completes(t, "hist", "ory ")
    completes(t, "kubectl ge", "get ")
    completes(t, "get persistentvolumecl", "persistentvolumeclaims ")
    completes(t, "get nod", "nodes ")
    completes(t, "get nodes node", "node01 ")
    completes(t, "get node/con", "node/controlplane ")
    completes(t, "get no,storagecl", "no,storageclasses ")
    completes(t, "get nodes ", "controlplane  node01")
    completes(t, "get nodes --field-sel", "--field-selector=")
    completes(t, "get nodes -o cust", "custom-columns=")
    completes(t, "get nodes --output=ya", "yaml ")
    completes(t, "get pods -n kube-s", "kube-system ")
    completes(t, "get cm -n kube-system kube-roo", "kube-root-ca.crt ")
    completes(t, "echo $(get nod", "nodes ")
    completes(t, "get nodes; why p", "pod/  pv/   pvc/")
    completes(t, "watch -n 1 get nod", "nodes ")
    completes(t, "use kube-p", "kube-public ")
    os.makedirs(FOLDER + "/pages/inner", exist_ok=True)
    completes(t, "get -f %s/pa" % FOLDER, "pages/")
    completes(t, "node st", "start  stop")
    completes(t, "node stop cont", "controlplane ")
    completes(t, "disk --da", "--data ")

    say("a prompt begins a line")
    t.line("get ns default -o jsonpath={.metadata.name}")
    t.expect("\ndefault\nstowage" + t.prompt)

    say("Ctrl-C ends a command, not the prompt")
    t.send("get nodes --half")
    t.expect("--half")
    t.send(CTRL_C)
    t.expect("^C", t.prompt)
    t.line("watch -n 0.2 get nodes")
    t.expect("Every 0.2s: get nodes", "node01", "Every 0.2s", "node01")
    t.send(CTRL_C)
    t.expect("^C", t.prompt)
    t.line("get nodes -w")
    t.expect("node01")
    t.send(CTRL_C)
    seen = t.expect("^C", t.prompt)
    assert "error" not in seen, seen
    t.line("!sleep 1000")
    t.expect("!sleep 1000")
    t.send(CTRL_C)
    t.expect("^C", t.prompt)
    t.line("echo $?")
    t.expect("130", t.prompt)

    say("what goes on in another line")
    t.line("echo 'one")
    t.expect("… ")
    t.line("two'")
    t.expect("one\ntwo", t.prompt)
    t.line("cat <<E | tr a-z A-Z")
    t.expect("… ")
    t.line("inside")
    t.expect("… ")
    t.line("E")
    t.expect("INSIDE", t.prompt)
    t.line("get nodes |")
    t.expect("… ")
    t.send(CTRL_C)
    t.expect("^C", t.prompt)

    say("a paste: each line of it; the unfinished one waits")
    t.paste("get ns default -o name\necho pasted\tand\nget ns kube-pub")
    t.expect("namespace/default", "echo pasted and", "pasted and", "get ns kube-pub")
    t.line("lic -o name")
    t.expect("namespace/kube-public", t.prompt)
    t.paste("get ns default")
    t.expect("get ns default")
    t.line(" -o name")
    t.expect("namespace/default", t.prompt)

    say("manifests: pasted, typed behind apply -f -, typed by themselves, dropped")
    t.paste(manifest("pasted"))
    t.expect("kind: ConfigMap", "configmap/pasted created", t.prompt)
    t.paste(manifest("unended").rstrip("\n"))
    t.expect("unended")
    t.line("")
    t.expect("configmap/unended created", t.prompt)
    t.line("apply -f -")
    t.expect("---end", "… ")
    for line in manifest("typed").splitlines():
        t.line(line)
        t.expect(line, "… ")
    t.line("---end")
    t.expect("configmap/typed created", t.prompt)
    t.line("apiVersion: v1")
    t.expect("… ")
    t.line("kind: ConfigMap")
    t.expect("… ")
    t.line("metadata: {name: bare}")
    t.expect("… ")
    t.send(CTRL_D)
    t.expect("configmap/bare created", t.prompt)
    t.line("create -f -")
    t.expect("… ")
    t.line("apiVersion: v1")
    t.expect("… ")
    t.send(CTRL_C)
    t.expect("^C", t.prompt)
    t.line("kubectl apply -f - <<EOF")
    t.expect("… ")
    t.paste(manifest("here") + "EOF\n")
    t.expect("configmap/here created", t.prompt)
    t.line("create cm drawn --from-literal=a=b --dry-run=client -o yaml | sed s/drawn/piped/ | apply -f - > %s/said" % FOLDER)
    t.expect(t.prompt)
    t.line("get cm -o name | grep -c configmap/")
    t.expect("\n7\n", t.prompt)
    completes(t, "delete cm pas", "pasted ")
    t.line("delete cm pasted piped typed bare here unended")
    t.expect('configmap "unended" deleted', t.prompt)

    say("letters of several bytes are one")
    t.line("echo größe\x7f\x7fß")
    t.expect("echo größ", "größ", t.prompt)

    say("what shall not be kept, the end")
    t.line("echo --from-literal=p=hunter2")
    t.expect("hunter2", "hunter2", t.prompt)
    t.line(" echo unseen")
    t.expect("unseen", "unseen", t.prompt)
    t.line("use kube-public")
    t.expect(":kube-public> ")
    t.send(CTRL_D)
    assert t.wait() == 0, t.code


def another_time():
    say("the next session knows what was typed")
    t = begin("--kubeconfig", KUBECONFIG, env={"NO_COLOR": "1"})
    t.prompt = ":default> "
    t.expect(t.prompt)
    t.send(UP)
    t.expect("use kube-public")
    t.send(CTRL_A + CTRL_K)
    t.line("history")
    t.expect("get nodes", "use kube-public", t.prompt)
    t.line("exit 3")
    assert t.wait() == 3, t.code
    assert "\x1b[3" not in t.raw, "colours in spite of NO_COLOR"


def alone():
    say("alone it has a cluster, whose words it knows, and which ends with it, however it ends")
    t = begin("--nodes", "1")
    t.prompt = "stowage:default> "
    t.expect("A cluster of your own", t.prompt)
    assert "\x1b[36m" in t.raw, "no colours on a terminal"
    t.line("clock")
    t.expect("T", "Z", t.prompt)
    t.line("use kube-system")
    t.expect("stowage:kube-system> ")
    t.line("why pvc/none")
    t.expect('"none" not found in namespace kube-system')
    t.expect("stowage:kube-system> ")
    t.line("use default")
    t.expect(t.prompt)
    t.line("status")
    t.expect("nodes        1, Ready", t.prompt)
    os.kill(t.pid, signal.SIGTERM)
    assert t.wait() == 130, t.code


at_the_prompt()
another_time()
alone()
