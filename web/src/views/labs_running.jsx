// labs_running.jsx - the lab under way: what to do beside a terminal and the storage map; questions, checks, hints.
import { lazy, Suspense } from "preact/compat";
import { useEffect, useRef, useState } from "preact/hooks";
import { Dialog, Failure, useWatch } from "../bits.jsx";
import { cancel, leftOf, outcome, span, unsaved } from "../lab_jobs.js";
import { Markdown } from "../markdown.jsx";
import { Link } from "../route.jsx";
import { Progress } from "./labs_catalogue.jsx";
import { StorageMap } from "./map.jsx";

const Terminal = lazy(() => import("./terminal.jsx"));
const points = (n) => `${n} point${n === 1 ? "" : "s"}`;

// ---- the clock ----

function useNow() {
  const [now, setNow] = useState(Date.now());
  useEffect(() => { const timer = setInterval(() => setNow(Date.now()), 1000); return () => clearInterval(timer); }, []);
  return now;
}

function Clock({ view }) {
  const now = useNow(), left = leftOf(view, now);
  if (left === null) return <span class="clock">{span((view.time - view.began) + (now - view.at) / 1000)}{view.minutes ? ` of ${view.minutes} minutes` : ""}</span>;
  return <span class={`clock exam ${left < 300 ? "short" : ""}`}><span role="timer">{span(left)} left</span>
    <span class="unseen" role="status">{left < 0 ? "The time is over." : left < 60 ? "Less than a minute is left." : left < 300 ? "Less than five minutes are left." : ""}</span></span>;
}

// ---- questions and checks ----

function Quiz({ check, draft, setDraft, save, busy }) {
  const { ask, kind, choices, answered } = check.quiz, value = draft ?? (answered === null ? "" : String(answered));
  const name = `quiz ${check.name}`;
  return <form class="quiz" onSubmit={(e) => { e.preventDefault(); save(); }}>
    {choices?.length ? <fieldset><legend>{ask}</legend>{choices.map((c) => <label><input type="radio" name={name} checked={value === String(c)} disabled={busy} onChange={() => setDraft(String(c))} /> {String(c)}</label>)}</fieldset>
      : <label>{ask} <input type={kind === "number" ? "number" : "text"} step="any" value={value} autocomplete="off" disabled={busy} onInput={(e) => setDraft(e.target.value)} /></label>}
  </form>;
}

const SIGN = { passed: "●", "not yet": "✕", "not judged": "○", "being judged": "◐" };
const TONE = { passed: "good", "not yet": "bad", "not judged": "idle", "being judged": "wait" };

function Check({ check, state }) {
  return <li class={`check ${TONE[state]}`}>
    <div class="check-head"><span class={`state ${TONE[state]}`}><span aria-hidden="true">{SIGN[state]}</span> {state}</span> <span class="grow">{check.name}</span>
      {check.of > 0 && <span class="of">{check.points || 0} of {check.of}</span>}</div>
    {state === "not yet" && <dl class="beside"><div><dt>Expected</dt><dd><pre tabindex="0">{check.expected || "?"}</pre></dd></div><div><dt>Observed</dt><dd><pre tabindex="0">{check.observed || "nothing"}</pre></dd></div></dl>}
    {state === "not yet" && check.look && !check.quiz && <p class="look">Look: <code>{check.look}</code></p>}
  </li>;
}

// Rows as they are judged, the rest as they last were.
function Checks({ step, now }) {
  if (!step.checks?.length) return null;
  const judging = now?.word === "check" ? now.checks : null;
  return <section aria-label="Checks"><h3>Checks</h3><ul class="checks" aria-live="polite">{step.checks.map((c, i) => {
    const row = judging ? judging.find((r) => r.name === c.name) : c;
    return <Check key={c.name} check={row ? { ...c, ...row } : c} state={row ? outcome(row) : i === judging.length ? "being judged" : "not judged"} />;
  })}</ul></section>;
}

function Hints({ step, allowed, ask }) {
  const hints = step.hints;
  if (!hints?.of || !allowed && !hints.taken.length) return null;
  return <section aria-label="Hints"><h3>Hints</h3>
    {hints.taken.map((h) => <div class="hint"><Markdown text={h.text} />{h.cost > 0 && <small>It cost {points(h.cost)}.</small>}</div>)}
    {allowed && hints.next && <button onClick={ask}>{hints.taken.length ? "Another hint" : "A hint"}{hints.next.cost ? ` for ${points(hints.next.cost)}` : ", free"}</button>}
    {!hints.next && <small>There are no more for this step.</small>}</section>;
}

// ---- what is asked before it is done ----

const QUESTIONS = {
  hint: (step) => ({ title: "Take a hint?", text: step.hints.next?.cost ? `It takes ${points(step.hints.next.cost)} of your score, whether it helps or not.` : "It costs nothing.", yes: "Take it" }),
  next: () => ({ title: "Go on without the points?", text: "This step is left as it is. There is no way back to it.", yes: "Go on" }),
  reset: () => ({ title: "Begin this step anew?", text: "Objects, volumes and disks go back to where they were when the step began. What you did since is gone.", yes: "Reset", danger: true }),
  stop: () => ({ title: "End the lab?", text: "Its cluster goes with all that is on it. Your points are kept.", yes: "End it", danger: true }),
  "exam-end": () => ({ title: "End the exam before its time?", text: "Each task is judged as it stands now, and its cluster goes.", yes: "End it", danger: true }),
};

function Ask({ question, yes, close }) {
  return <Dialog title={question.title} close={close}><p>{question.text}</p>
    <div class="do"><button class={question.danger ? "danger" : "strong"} onClick={() => { close(); yes(); }}>{question.yes}</button><button onClick={close}>Not now</button></div></Dialog>;
}

function save(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// ---- the parts of the page ----

function Steps({ view, shown }) {
  return <nav class="steps" aria-label="Steps"><ol>{view.steps.map((s, i) => s.state === "left out" ? null : <li class={s.state}>
    {s.text === undefined ? <span title={s.title} aria-label={`Step ${i + 1}, later: ${s.title}`}>{i + 1}</span>
      : <Link to={s.state === "now" ? "labs" : `labs/step/${encodeURIComponent(s.name)}`} title={`${s.title}: ${s.points} of ${s.of} points`} aria-label={`Step ${i + 1}: ${s.title}, ${s.points} of ${s.of} points`} aria-current={s === shown ? "step" : undefined}>{s.state === "done" && s.points >= s.of ? "✓" : i + 1}</Link>}</li>)}</ol></nav>;
}

function Tasks({ exam, busy, go }) {
  return <nav class="steps" aria-label="Tasks"><ol>{exam.tasks.map((t) => <li class={t.chosen ? "now" : t.done ? "done" : "later"}>
    <button class="task" disabled={busy || t.chosen} aria-current={t.chosen ? "step" : undefined} onClick={() => go(t.number)}>{t.lab}{t.only ? `: ${t.only}` : ""} <small>{t.points} of {t.of}{t.done ? ", done" : t.opened ? "" : ", not begun"}</small></button></li>)}</ol></nav>;
}

function Work({ route, typing }) {
  const nodes = [...useWatch("/api/v1/nodes").items.keys()].map((k) => k.slice(1)).sort();
  const [chosen, setChosen] = useState(""), [show, setShow] = useState("both");
  const node = chosen || (nodes.includes("node01") ? "node01" : nodes[0]);
  return <section class="lab-work" aria-label="The lab's cluster">
    <header><label>Shell on <select value={node || ""} onChange={(e) => setChosen(e.target.value)}>{nodes.map((n) => <option value={n}>{n}</option>)}</select></label>
      <span class="grow" /><label>Show <select value={show} onChange={(e) => setShow(e.target.value)}><option value="both">terminal and map</option><option value="terminal">terminal</option><option value="map">storage map</option></select></label></header>
    <div class={`lab-split ${show}`}>
      <div class="lab-term" hidden={show === "map"}>{node && <Suspense fallback={<p>Loading the terminal…</p>}><Terminal key={node} node={node} opened={(line) => { typing.current = line; }} /></Suspense>}</div>
      {show !== "terminal" && <StorageMap route={route} base="labs" small />}
    </div></section>;
}

function Done({ view }) {
  return <div class="markdown"><p>That was the last step: <b>{view.points} of {view.of} points</b>{view.cost ? `, hints took ${view.cost}` : ""}.</p>
    <p>Hand in what you did as one signed file, then end the lab; its cluster goes, your points stay.</p></div>;
}

// ---- the page ----

export function Running({ view, step: wanted, route, word, start, end }) {
  const current = view.steps[view.step], shown = wanted ? view.steps.find((s) => s.name === wanted && s.text !== undefined) || current : current;
  const [drafts, setDrafts] = useState({}), [asked, setAsked] = useState(null), [solution, setSolution] = useState(null), [handed, setHanded] = useState("");
  const typing = useRef(null), top = useRef(), exam = view.exam && !view.exam.ended ? view.exam : null, busy = !!word.now, live = shown && shown === current;
  useEffect(() => { setDrafts({}); setSolution(null); top.current?.scrollTo(0, 0); }, [shown?.name]);
  const put = (text) => { typing.current?.send(text.replace(/\n/g, "\r")); document.querySelector(".lab-term textarea")?.focus(); };
  const answer = async () => { for (const c of unsaved(current, drafts)) if (!await word.go("answer", { check: c.name, text: drafts[c.name] })) return false; return true; };
  const check = async () => {
    if (!await answer() || !await word.go("check")) return;
    requestAnimationFrame(() => top.current?.querySelector(".check.bad")?.scrollIntoView({ block: "nearest" })); // what is not right yet is seen
  };
  const submit = async () => { const done = await word.go("submit"); if (done) { save(`${view.lab}-submission.json`, done.text); setHanded(`${view.lab}-submission.json was written, signed: hand it in.`); } };
  const doIt = { hint: () => word.go("hint"), next: () => word.go("next"), reset: () => word.go("reset"), stop: () => end("stop"), "exam-end": () => end("exam-end") };
  const solve = async () => { const done = await word.go("solution"); if (done) setSolution(done.result.solution); };
  return <div class="lab">
    <section class="lab-text" aria-label="The lab">
      <header class="lab-head"><h1>{view.title}</h1>
        <p class="count"><Clock view={view} /> · {view.points} of {view.of} points{view.cost ? ` (hints took ${view.cost})` : ""}{view.seed ? ` · variant of ${view.seed}` : ""} · <Link to="labs/all">all labs</Link></p>
        {exam && <Tasks exam={exam} busy={busy} go={(number) => start("exam-task", { number })} />}
        {view.steps.length > 1 && !current?.only && <Steps view={view} shown={shown} />}</header>
      <div class="lab-scroll" ref={top} tabindex="-1">
        {shown && <><h2>{shown.title}</h2><Markdown text={shown.text} put={put} />
          {!live && <p class="count">This step is {shown.state === "done" ? "behind you" : shown.state}: {shown.points} of {shown.of} points. <Link to="labs">Back to where you are</Link></p>}
          {live && shown.checks.filter((c) => c.quiz).map((c) => <Quiz key={c.name} check={c} busy={busy} draft={drafts[c.name]} setDraft={(v) => setDrafts((d) => ({ ...d, [c.name]: v }))} save={check} />)}
          <Checks step={shown} now={live ? word.now : null} />
          {<Hints step={shown} allowed={live && !exam} ask={() => setAsked("hint")} />}
          {live && solution !== null && <section aria-label="Solution"><h3>Solution</h3>{solution ? <Markdown text={"```\n" + solution.replace(/```/g, "'''") + "```"} put={put} /> : <p>Nothing is to be done here but to look.</p>}</section>}</>}
        {!shown && <><h2>Done</h2><Done view={view} /></>}
      </div>
      <footer class="lab-foot">
        <Failure error={word.error} />{handed && <p class="count" role="status">{handed}</p>}
        {busy && word.now.word !== "check" && <Progress now={word.now} />}
        <div class="do">
          {live && <button class="strong" disabled={busy} onClick={check}>{word.now?.word === "check" ? "Checking…" : "Check"}</button>}
          {word.now?.word === "check" && word.now.job && <button onClick={() => cancel(word.now.job)}>Stop waiting</button>}
          {live && !exam && <button disabled={busy} onClick={solve}>Solution</button>}
          {live && <button disabled={busy} onClick={() => setAsked("reset")}>Reset</button>}
          {live && <button disabled={busy} onClick={() => setAsked("next")}>Skip</button>}
          <span class="grow" />
          {!exam && <button class={live ? "" : "strong"} disabled={busy} onClick={submit}>Submit</button>}
          <button class="danger" disabled={busy} onClick={() => setAsked(exam ? "exam-end" : "stop")}>{exam ? "End the exam" : "End"}</button>
        </div></footer>
    </section>
    <Work route={route} typing={typing} />
    {asked && <Ask question={QUESTIONS[asked](current)} yes={doIt[asked]} close={() => setAsked(null)} />}
  </div>;
}
