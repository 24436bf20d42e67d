// class.jsx - a class as its teacher sees it: students × steps, live; who is stuck and on which check; a look into a student's
// cluster; the gradebook. class?state=&sort=&q=, class/STUDENT is one of them with all that was checked.
import { useEffect, useRef, useState } from "preact/hooks";
import { console_ } from "../api.js";
import { Failure, useEvery } from "../bits.jsx";
import { Link, navigate } from "../route.jsx";
import { COLUMNS, STATES, STEP, ago, moved, rows, stepWord } from "./class_model.js";

const LOOK_MS = 1000;
const FORMS = ["csv", "html", "nbgrader", "json", "junit"];
const TITLES = { student: "Student", cluster: "Cluster", points: "Points", hints: "Hints", last: "Last active", state: "State" };
const CLUSTER = { up: "good", down: "bad", failed: "bad", starting: "wait", stopping: "wait" };

// What is so now, and what has moved since the last look.
function useClass() {
  const [room, setRoom] = useState({ status: null, news: [], error: null }), seen = useRef(null);
  useEvery(LOOK_MS, async () => {
    try {
      const status = await console_("class-status"), news = moved(seen.current, status);
      seen.current = status;
      setRoom((r) => ({ status, news: news.length ? news : r.news, error: null }));
    } catch (error) { setRoom((r) => ({ ...r, error })); }
  });
  return room;
}

const address = (student, query) => {
  const q = new URLSearchParams(Object.entries(query).filter(([, v]) => v)).toString();
  return `class${student ? `/${encodeURIComponent(student)}` : ""}${q ? `?${q}` : ""}`;
};

// A tab that is there at once, since a browser opens none that comes later; its address follows.
async function look(student, fail) {
  const tab = window.open("", "_blank");
  try {
    const { url } = await console_("class-open", { student });
    if (tab) tab.location = url; else location.href = url;
    fail(null);
  } catch (e) { tab?.close(); fail(e); }
}

async function save(lab, format) {
  const { name, text } = await console_("class-export", { lab, format });
  const url = URL.createObjectURL(new Blob([text]));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

const wordOf = (task) => task.only ? `${task.lab}:${task.only}` : task.lab;

function Export({ tasks, fail }) {
  const [lab, setLab] = useState(wordOf(tasks[0])), [format, setFormat] = useState(FORMS[0]);
  const submit = (e) => { e.preventDefault(); save(lab, format).then(() => fail(null), fail); };
  return <form class="export" onSubmit={submit}>
    {tasks.length > 1 && <label>Lab <select value={lab} onChange={(e) => setLab(e.target.value)}>{tasks.map((t) => <option>{wordOf(t)}</option>)}</select></label>}
    <label>Gradebook <select value={format} onChange={(e) => setFormat(e.target.value)}>{FORMS.map((f) => <option>{f}</option>)}</select></label>
    <button>Download</button>
  </form>;
}

function Step({ step, fresh }) {
  const { sign, tone } = STEP[step.state] || STEP.ahead, word = stepWord(step.state);
  return <td class={`step ${tone}${fresh ? " moved" : ""}`} title={`${step.title}: ${word}, ${step.points} of ${step.of} points`}>
    <span aria-hidden="true">{sign}</span><span class="unseen">{word}, {step.points} of {step.of} points</span></td>;
}

function Stuck({ student, now }) {
  const { stuck, why } = student;
  if (stuck) return <><b class="bad state">stuck</b> on “{stuck.check}” <small>{stuck.title}, for {ago(now - stuck.since)}, looked {stuck.tries} time{stuck.tries === 1 ? "" : "s"}</small></>;
  return <>{student.state}{why && <small class="error"> {why}</small>}</>;
}

function Row({ student, status, query, open, news, fail }) {
  const empty = status.tasks.map((t) => ({ steps: t.steps.map((s) => ({ ...s, state: "ahead", points: 0 })) }));
  const tasks = student.tasks.length ? student.tasks : empty, name = student.student;
  const fresh = new Set(news.filter((n) => n.student === name).map((n) => n.step));
  return <tr aria-current={open ? "true" : undefined} data-student={name}>
    <th scope="row"><Link to={address(open ? "" : name, query)} aria-expanded={open}>{name}</Link></th>
    <td class="where"><Stuck student={student} now={status.now} /></td>
    <td><span class={`state ${CLUSTER[student.cluster] || "idle"}`}>{student.cluster}</span></td>
    <td class="number">{student.points} of {status.of}</td><td class="number">{student.hints}</td>
    <td class="number">{student.last ? ago(status.now - student.last) : "never"}</td>
    {tasks.map((task, t) => task.steps.map((step, i) => <Step step={step} fresh={fresh.has(`${t}.${i}`)} />))}
    <td><button onClick={() => look(name, fail)} disabled={student.cluster !== "up"} aria-label={`Look into the cluster of ${name}, in a new tab`}>Look</button></td>
  </tr>;
}

function Head({ status, query }) {
  const by = query.sort || "student";
  const sorted = (column) => by !== column ? "none" : query.down ? "descending" : "ascending";
  const to = (column) => address("", { ...query, sort: column, down: by === column && !query.down ? "1" : "" });
  const Column = (column) => <th scope="col" rowspan="2" aria-sort={sorted(column)}><button class="plain" onClick={() => navigate(to(column), { replace: true })}>
    {TITLES[column]}<span aria-hidden="true">{sorted(column) === "ascending" ? " ▴" : sorted(column) === "descending" ? " ▾" : ""}</span></button></th>;
  return <thead>
    <tr>{COLUMNS.map(Column)}{status.tasks.map((t) => <th scope="colgroup" colspan={t.steps.length} class="task">{t.title}</th>)}<th scope="col" rowspan="2">Look</th></tr>
    <tr>{status.tasks.map((t) => t.steps.map((s, i) => <th scope="col" class="step" title={`${s.title}, ${s.of} points`}><span aria-hidden="true">{i + 1}</span><span class="unseen">{s.title}</span></th>))}</tr>
  </thead>;
}

// All that was checked in a student's work.
function Student({ student, status, query, fail }) {
  const box = useRef();
  useEffect(() => box.current.focus(), [student.student]);
  return <aside class="panel" aria-label={`The work of ${student.student}`} tabindex="-1" ref={box} onKeyDown={(e) => e.key === "Escape" && navigate(address("", query))}>
    <header><h2>{student.student}</h2><Link to={address("", query)} aria-label="Close">✕</Link></header>
    <p><Stuck student={student} now={status.now} /></p>
    <p><button disabled={student.cluster !== "up"} onClick={() => look(student.student, fail)}>Look into the cluster</button></p>
    {student.tasks.map((task) => <section><h3>{status.tasks.find((t) => wordOf(t) === wordOf(task))?.title}</h3>
      <p>{task.state}; {task.points} of {task.of} points{task.hints ? `, ${task.hints} hint${task.hints === 1 ? "" : "s"}${task.cost ? ` (−${task.cost})` : ""}` : ""}</p>
      <ol class="work">{task.steps.map((step) => <li><b>{step.title}</b> <span class={`state ${STEP[step.state]?.tone}`}>{stepWord(step.state)}</span> <small>{step.points} of {step.of}</small>
        {step.checks.length > 0 && <ul>{step.checks.map((c) => <li><span class={`state ${c.passed ? "good" : "bad"}`}>{c.passed ? "✓ passed" : "✕ not yet"}</span> {c.name}
          {!c.passed && c.observed && <dl class="facts"><dt>expected</dt><dd>{c.expected}</dd><dt>observed</dt><dd>{c.observed}</dd></dl>}</li>)}</ul>}</li>)}</ol></section>)}
  </aside>;
}

export function Class({ route }) {
  const { status, news, error } = useClass(), [failure, setFailure] = useState(null);
  const query = { state: route.query.get("state") || "", sort: route.query.get("sort") || "", down: route.query.get("down") || "", q: route.query.get("q") || "" };
  const set = (change) => navigate(address(route.parts[0], { ...query, ...change }), { replace: true });
  if (!status) return <div class="page"><h1>Class</h1>{error ? <Failure error={error} /> : <p>Asking how far everybody is…</p>}</div>;
  const shown = rows(status.students, { text: query.q, state: query.state, sort: query.sort || "student", down: !!query.down });
  const count = (state) => status.students.filter((s) => s.state === state).length, open = status.students.find((s) => s.student === route.parts[0]);
  return <div class="class-page"><div class="page">
    <header class="head"><h1>Class</h1><Export tasks={status.tasks} fail={setFailure} /></header>
    <p class="count">{status.students.length} students: {Object.keys(STATES).filter(count).map((s) => `${count(s)} ${STATES[s]}`).join(", ")}{status.exam ? "; an exam" : ""}</p>
    <div class="filters" role="search">
      <label>Find <input type="search" value={query.q} onInput={(e) => set({ q: e.target.value })} placeholder="student or check" /></label>
      <label>Show <select value={query.state} onChange={(e) => set({ state: e.target.value })}><option value="">everybody</option>
        {Object.entries(STATES).map(([v, w]) => <option value={v}>{w}</option>)}<option value="down">cluster not up</option></select></label>
    </div>
    <Failure error={failure || error} />
    <p class="unseen" role="status">{news.map((n) => n.text).join(". ")}</p>
    {shown.length === 0 ? <p class="empty">Nobody fits.</p> : <div class="scroll"><table class="list class"><caption class="unseen">Students and steps</caption><Head status={status} query={query} />
      <tbody>{shown.map((s) => <Row key={s.student} student={s} status={status} query={query} open={s === open} news={news} fail={setFailure} />)}</tbody></table></div>}
    <p class="legend">{Object.keys(STEP).map((s) => <span><span class={`state ${STEP[s].tone}`} aria-hidden="true">{STEP[s].sign}</span> {stepWord(s)}</span>)}</p>
  </div>{open && <Student student={open} status={status} query={query} fail={setFailure} />}</div>;
}
export default Class;
