"""A program on a pseudo terminal, driven as by hand: for the tests of `stowage repl`.

Everything is awaited with one generous deadline; nothing depends on how fast the machine is.
"""
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import fcntl
import time

DEADLINE = int(os.environ.get("DEADLINE", "300"))
TOKEN = re.compile(r"\x1b\[([0-9;?]*)([@-~])|\x1b[()].|\x1b[=>78M]|(.)", re.S)


class Screen:
    """What a terminal shows of the bytes it is sent; lines that scroll away are kept."""

    def __init__(self, columns):
        self.columns, self.rows, self.row, self.column, self.rest, self.top = columns, [[]], 0, 0, "", 0

    def text(self):
        return "\n".join("".join(row).rstrip(" ") if i != self.row else "".join(row) for i, row in enumerate(self.rows))

    def put(self, c):
        if self.column == self.columns:
            self.column = 0
            self.down()
        row = self.rows[self.row]
        row.extend(" " * (self.column - len(row)))
        row[self.column:self.column + 1] = [c]
        self.column += 1

    def down(self):
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])

    def control(self, numbers, letter):
        n = [int(x) if x.isdigit() else 0 for x in numbers.split(";")]
        row, one = self.rows[self.row], n[0] or 1
        if letter == "G":
            self.column = one - 1
        elif letter == "C":
            self.column += one
        elif letter == "D":
            self.column = max(0, self.column - one)
        elif letter == "A":
            self.row = max(self.top, self.row - one)
        elif letter == "B":
            for _ in range(one):
                self.down()
        elif letter == "K":
            del row[self.column:]
        elif letter == "P":
            del row[self.column:self.column + one]
        elif letter == "@":
            row[self.column:self.column] = " " * one
        elif letter == "J" and n[0] == 0:
            del row[self.column:]
            del self.rows[self.row + 1:]
        elif letter == "H" and n == [0]:  # a new page: what was there stays to be looked at
            self.rows.append([])
            self.row = self.top = len(self.rows) - 1
            self.column = 0

    def feed(self, text):
        text = self.rest + text
        cut = text.rfind("\x1b", max(0, len(text) - 12))
        if cut >= 0 and not TOKEN.match(text, cut):
            text, self.rest = text[:cut], text[cut:]
        else:
            self.rest = ""
        for numbers, letter, c in TOKEN.findall(text):
            if letter:
                self.control(numbers, letter)
            elif c == "\r":
                self.column = 0
            elif c == "\n":
                self.down()
            elif c == "\b":
                self.column = max(0, self.column - 1)
            elif c >= " ":
                self.put(c)


class Terminal:
    def __init__(self, argv, env=None, columns=120):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(env or {})
            os.execv(argv[0], argv)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.raw = ""      # all that came
        self.screen = Screen(columns)
        self.bytes = b""   # of a character that is not whole yet
        self.seen = 0      # up to here it has been looked at
        self.code = None

    def send(self, text):
        os.write(self.fd, text.encode())

    def line(self, text):
        self.send(text + "\r")

    def paste(self, text):
        self.send("\x1b[200~" + text.replace("\n", "\r") + "\x1b[201~")

    def _read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            chunk = os.read(self.fd, 65536)
        except OSError:
            chunk = b""
        self.bytes += chunk
        text = self.bytes.decode("utf-8", "ignore")
        self.bytes = b"" if text.encode() == self.bytes else self.bytes[len(text.encode()):]
        self.raw += text
        self.screen.feed(text)
        return bool(chunk)

    def expect(self, *parts):
        """Waits until each part came, in this order, behind what was looked at; returns what is between."""
        start = self.seen
        for part in parts:
            end = time.time() + DEADLINE
            while True:
                at = self.screen.text().find(part, self.seen)
                if at >= 0:
                    self.seen = at + len(part)
                    break
                if time.time() > end or not (self._read(0.2) or self.alive()):
                    self.fail("expected %r" % part)
        return self.screen.text()[start:self.seen]

    def fail(self, why):
        print("FAILED: %s, saw:\n%s\n%r" % (why, self.screen.text()[-3000:], self.raw[-300:]))
        self.kill()
        sys.exit(1)

    def alive(self):
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is None

    def wait(self):
        """Its exit code."""
        end = time.time() + DEADLINE
        while self.alive():
            if time.time() > end:
                self.fail("it does not end")
            self._read(0.1)
        while self._read(0):
            pass
        return self.code

    def kill(self):
        if self.alive():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
