"""repl_latency.py STOWAGE "get pods"|tab|start [FLAGS...]: milliseconds from a key to what it brings, one sample a line."""
import os
import pty
import select
import sys
import time

stowage, what, flags = sys.argv[1], sys.argv[2], sys.argv[3:]
SAMPLES = 101


def until(fd, *texts):
    """Until these came, one behind the other."""
    seen, at = b"", 0
    for text in texts:
        while seen.find(text, at) < 0:
            if not select.select([fd], [], [], 60)[0]:
                sys.exit("no %r in %r" % (text, seen[-300:]))
            seen += os.read(fd, 65536)
        at = seen.find(text, at) + len(text)


def ms(since):
    return "%.2f" % ((time.perf_counter() - since) * 1000)


began = time.perf_counter()
pid, fd = pty.fork()
if pid == 0:
    os.environ["NO_COLOR"] = "1"
    os.execv(stowage, [stowage, "repl", *flags])
until(fd, b":default> ")
if what == "start":
    print(ms(began))
else:
    for i in range(SAMPLES + 5):
        os.write(fd, b"get pods p" if what == "tab" else what.encode())
        until(fd, b"get pods p" if what == "tab" else what[-1:].encode())
        began = time.perf_counter()
        os.write(fd, b"\t" if what == "tab" else b"\r")
        if what == "tab":
            until(fd, b"p9", b"get pods p")
        else:
            until(fd, b"\x1b[?2004l", b":default> ")
        if i >= 5:
            print(ms(began))
        if what == "tab":
            os.write(fd, b"\x15")  # the line is dropped
            time.sleep(0.01)
os.write(fd, b"\x15\x04")
try:
    while os.read(fd, 65536):
        pass
except OSError:
    pass
os.waitpid(pid, 0)
