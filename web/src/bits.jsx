// bits.jsx - small things that several views show.
import { useEffect, useRef, useState } from "preact/hooks";
import { watch } from "./api.js";
import { bytes } from "./quantity.js";

// A live collection: Map of "ns/name" -> object (or table row), and what came with it.
export function useWatch(path, options = {}) {
  const [state, setState] = useState({ items: new Map(), ready: false });
  useEffect(() => path ? watch(path, (items, info) => setState({ items: new Map(items), ready: true, ...info }) /* a new one: what is made of it is made anew */, options) : undefined, [path]);
  return state;
}

// Runs while the page is seen, and only then: nothing is asked for a page that nobody looks at.
export function useEvery(ms, run, deps = []) {
  useEffect(() => {
    let timer, over = false;
    const turn = async () => {
      if (!document.hidden) await Promise.resolve(run()).catch(() => {});
      if (!over) timer = setTimeout(turn, ms);
    };
    turn();
    return () => { over = true; clearTimeout(timer); };
  }, deps);
}

export function Bar({ used, total, label, inodes }) {
  if (!(total > 0)) return null;
  const share = Math.min(100, 100 * used / total);
  return <div class="bar" role="meter" aria-label={label} aria-valuemin="0" aria-valuemax={total} aria-valuenow={used}
    title={`${label}: ${inodes ? `${used} of ${total} inodes` : `${bytes(used)} of ${bytes(total)}`}`}>
    <i style={{ width: `${share}%` }} class={share > 95 ? "full" : share > 80 ? "high" : ""} />
  </div>;
}

const TONE = { Bound: "good", Running: "good", Available: "idle", Ready: "good", Pending: "wait", Released: "wait", Lost: "bad",
  Failed: "bad", Succeeded: "idle", Terminating: "wait", "in-use": "good", available: "idle", NotReady: "bad", CrashLoopBackOff: "bad" };
const SIGN = { good: "●", wait: "◐", bad: "✕", idle: "○" };
export const tone = (word) => TONE[word] || (/Error|Fail|BackOff|Lost/.test(word) ? "bad" : "idle");
export const State = ({ word }) => <span class={`state ${tone(word)}`}><span aria-hidden="true">{SIGN[tone(word)]}</span> {word}</span>;

export const Failure = ({ error }) => error ? <p class="error" role="alert">{error.message}</p> : null;

export function Dialog({ title, close, children, wide }) {
  const box = useRef();
  useEffect(() => {
    const before = document.activeElement;
    (box.current.querySelector("input, textarea, select, button") || box.current).focus();
    return () => before?.focus?.();
  }, []);
  return <div class="veil" onClick={close}>
    <section class={wide ? "dialog wide" : "dialog"} role="dialog" aria-modal="true" aria-label={title} tabindex="-1" ref={box}
      onClick={(e) => e.stopPropagation()} onKeyDown={(e) => e.key === "Escape" && close()}>
      <header><h2>{title}</h2><button class="plain" aria-label="Close" onClick={close}>✕</button></header>
      {children}
    </section>
  </div>;
}
