"""in_pods.py STOWAGE KUBECONFIG FOLDER: what joins the terminal with a pod, at the prompt. See test_pods.sh."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from terminal import Terminal

STOWAGE, KUBECONFIG, FOLDER = sys.argv[1:4]
CTRL_C, CTRL_D = "\x03", "\x04"
t = Terminal([STOWAGE, "repl", "--kubeconfig", KUBECONFIG])
PROMPT = "stowage:default> "


def do(line, *seen):
    t.line(line)
    t.expect(*seen)
    t.expect(PROMPT)


def say(what):
    print("== " + what, flush=True)


say("a shell in a pod has the terminal, and Ctrl-C, and gives them back")
t.expect(PROMPT)
do("exec web -- hostname", "\nweb\n")
t.line("exec -it web -- sh")
t.expect("# ")
t.line("tty; echo $((40 + 2))")
t.expect("/dev/pts/", "\n42")
t.line("sh -c 'echo begun; sleep 1000'")  # who says it is in the foreground by then
t.expect("\nbegun")
t.send(CTRL_C)
t.expect("# ")
t.line("exit 4")
t.expect(PROMPT)
do("echo $?", "\n4")

say("following a log until Ctrl-C")
t.line("logs -f web")
t.expect("nginx/")
t.send(CTRL_C)
t.expect("^C", PROMPT)

say("a port in the background, files there and back")
t.line("port-forward web :80 &")
port = re.search(r"127\.0\.0\.1:(\d+)", t.expect("Forwarding from 127.0.0.1:", " -> 80")).group(1)
do("!curl -s http://127.0.0.1:%s | grep title" % port, "Welcome to nginx!")
do("jobs", "port-forward web")
do("echo copied > %s/there" % FOLDER)
do("cp %s/there web:/tmp/there" % FOLDER)
do("exec web -- cat /tmp/there | tr a-z A-Z", "COPIED")
t.send(CTRL_D)
assert t.wait() == 0, t.code
