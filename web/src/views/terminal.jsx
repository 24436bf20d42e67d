// terminal.jsx - a real terminal: xterm.js at this end, a pty at the other.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal as XTerm } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { useEffect, useRef, useState } from "preact/hooks";
import { execPath, stream } from "../api.js";

const SHELL = ["sh", "-c", "TERM=xterm-256color; export TERM; if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi"];

// opened(line): may be given; what is sent by the line is as if it were typed. Such a shell comes again by itself when its
// node went away (a lab was reset).
export default function Terminal({ node, ns, pod, container, opened }) {
  const box = useRef(), [ended, setEnded] = useState(""), [turn, setTurn] = useState(0);
  const again = () => { setEnded(""); setTurn((t) => t + 1); };
  useEffect(() => {
    let over = false, timer;
    const style = getComputedStyle(document.documentElement);
    const term = new XTerm({ fontSize: 13, cursorBlink: true, scrollback: 5000, screenReaderMode: matchMedia("(prefers-reduced-motion: reduce)").matches,
      theme: { background: style.getPropertyValue("--term-back").trim(), foreground: style.getPropertyValue("--term-ink").trim() } });
    const fit = new FitAddon();
    term.loadAddon(fit);
    term.open(box.current);
    fit.fit();
    const path = node ? `/console/shell?node=${encodeURIComponent(node)}&stdin=true&stdout=true&tty=true` : execPath(ns, pod, container, SHELL, { tty: true, stdin: true });
    const line = stream(path, {
      open: () => { line.resize(term.cols, term.rows); if (opened) opened(line); else term.focus(); },
      output: (bytes) => term.write(bytes),
      end: (status) => {
        setEnded(status.status === "Success" ? "The shell ended." : status.message);
        if (opened && status.status !== "Success" && !over) timer = setTimeout(again, 1000);
      },
    });
    term.onData((data) => line.send(data));
    term.onBinary((data) => line.send(Uint8Array.from(data, (c) => c.charCodeAt(0))));
    term.onResize(({ cols, rows }) => line.resize(cols, rows));
    const watcher = new ResizeObserver(() => fit.fit());
    watcher.observe(box.current);
    return () => { over = true; clearTimeout(timer); watcher.disconnect(); line.close(); term.dispose(); };
  }, [turn]);
  return <><div class="term" ref={box} />{ended && <p class="ended" role="status">{ended} <button onClick={again}>Again</button></p>}</>;
}
