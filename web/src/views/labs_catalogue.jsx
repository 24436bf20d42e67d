// labs_catalogue.jsx - the labs there are, what was made of them, and the way into one: a lab, or an exam of several.
import { useState } from "preact/hooks";
import { Dialog, Failure } from "../bits.jsx";
import { justOver, leftOf } from "../lab_jobs.js";
import { Link } from "../route.jsx";

const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

export function Progress({ now }) {
  if (!now) return null;
  return <p class="progress" role="status"><span class="spin" aria-hidden="true" /> {now.lines.at(-1) || "Asking…"}{now.lines.length > 0 && "…"}</p>;
}

function Card({ lab, busy, ask }) {
  if (lab.fault) return <li class="lab-card"><h2>{lab.name}</h2><p class="error">{lab.fault}</p></li>;
  const share = lab.of ? Math.min(100, 100 * lab.best / lab.of) : 0;
  return <li class="lab-card">
    <h2>{lab.title}</h2>
    <p class="about">{lab.about}</p>
    <p class="topics">{lab.topics.map((t) => <span class="zone">{t}</span>)}</p>
    <p class="facts"><code>{lab.name}</code><br />{lab.minutes ? `${lab.minutes} minutes · ` : ""}{count(lab.steps, "step")} · {count(lab.of, "point")} · {count(lab.nodes, "node")}</p>
    <footer><div class="grow"><span>{lab.goes ? `Best of ${count(lab.goes, "go")}: ${lab.best} of ${lab.of}` : "Not tried yet"}</span>
      {lab.goes > 0 && <div class="bar" role="meter" aria-label={`${lab.title}: best result`} aria-valuemin="0" aria-valuemax={lab.of} aria-valuenow={lab.best}><i style={{ width: `${share}%` }} /></div>}</div>
      {lab.current ? <span class="state good">under way</span> : <button disabled={busy} aria-label={`Start ${lab.title}`} onClick={() => ask(lab)}>Start</button>}</footer>
  </li>;
}

function Start({ lab, word, start, close }) {
  const go = (e) => { e.preventDefault(); const seed = new FormData(e.target).get("seed").trim(); start("start", { lab: lab.name, ...(seed && { seed }) }); };
  return <Dialog title={lab.title} close={word.now ? () => {} : close}>
    <form class="ask" onSubmit={go}>
      <p>It gets a cluster of its own, beside this one, with its classes as on {lab.profile === "none" ? "a cluster without any" : lab.profile}. When that is ready, this page goes to its console.</p>
      <label>Your name, if your class has variants <input name="seed" autocomplete="off" disabled={!!word.now} /></label>
      <Failure error={word.error} /><Progress now={word.now} />
      <div class="do"><button type="submit" disabled={!!word.now}>Start</button> <span class="hint-line">or type <code>stowage lab start {lab.name}</code></span></div>
    </form>
  </Dialog>;
}

function Exam({ labs, word, start, close }) {
  const [chosen, setChosen] = useState([]);
  const minutes = labs.filter((l) => chosen.includes(l.name)).reduce((n, l) => n + (l.minutes || 10), 0);
  const go = (e) => { e.preventDefault(); const given = +new FormData(e.target).get("minutes"); start("exam", { labs: chosen, ...(given > 0 && { minutes: given }) }); };
  const turn = (name, on) => setChosen((all) => on ? [...all, name] : all.filter((n) => n !== name));
  return <Dialog title="An exam" close={word.now ? () => {} : close}>
    <form class="ask" onSubmit={go}>
      <p>Several tasks against the clock, in any order, each with a cluster of its own, without hints and solutions. It ends by itself: each task is judged as it stands then.</p>
      <fieldset class="choose"><legend>Its tasks</legend>{labs.filter((l) => !l.fault).map((l) => <label><input type="checkbox" checked={chosen.includes(l.name)} onChange={(e) => turn(l.name, e.target.checked)} /> {l.title} <small>{l.of} points</small></label>)}</fieldset>
      <label>Minutes <input name="minutes" type="number" min="1" max="10080" placeholder={minutes ? String(minutes) : "as long as the labs say"} /></label>
      <Failure error={word.error} /><Progress now={word.now} />
      <div class="do"><button type="submit" disabled={!chosen.length || !!word.now}>Begin</button></div>
    </form>
  </Dialog>;
}

function UnderWay({ view, here, word, start }) {
  if (!view.lab) return null;
  const at = view.done ? "all steps are done" : `step ${view.step + 1} of ${view.steps.length}, ${view.steps[view.step]?.title}`;
  return <section class="under-way" aria-label="Under way"><div class="grow"><b>{view.title}</b><br />{at} · {view.points} of {view.of} points{view.exam && !view.exam.ended ? ", in an exam" : ""}</div>
    {here ? <Link to="labs" class="button strong">Go on</Link> : <button class="strong" disabled={!!word.now} onClick={() => start("open", {})}>Open its console</button>}
    {!here && <Progress now={word.now} />}</section>;
}

function LastExam({ exam }) {
  if (!exam?.ended) return null;
  return <details class="last-exam"><summary>The last exam: {exam.points} of {exam.of} points ({exam.of ? Math.floor(100 * exam.points / exam.of) : 0}%), {new Date(exam.ended * 1000).toLocaleString()}</summary>
    <ol>{exam.tasks.map((t) => <li>{t.lab}{t.only ? `, ${t.only}` : ""}: {t.points} of {t.of} points{t.opened ? "" : ", not begun"}</li>)}</ol></details>;
}

// Its time is over: what it came to, once every task is judged.
export function ExamOver({ exam }) {
  return <section class="exam-over" aria-labelledby="exam-over">
    <h2 id="exam-over">The exam is over</h2>
    <p role="status">{exam.ended ? <b>{exam.points} of {exam.of} points ({exam.of ? Math.floor(100 * exam.points / exam.of) : 0}%)</b>
      : "Each task is judged as it stood when the time was over. Nothing of it can be changed any more."}</p>
    {exam.ended && <table><thead><tr><th scope="col">Task</th><th scope="col">Points</th></tr></thead>
      <tbody>{exam.tasks.map((t) => <tr><th scope="row">{t.lab}{t.only ? `, ${t.only}` : ""}</th><td>{t.points} of {t.of}{t.opened ? "" : ", not begun"}</td></tr>)}</tbody></table>}
  </section>;
}

export function Catalogue({ labs, error, view, here, word, start }) {
  const [text, setText] = useState(""), [asked, setAsked] = useState(null), [exam, setExam] = useState(false);
  const found = (labs || []).filter((l) => JSON.stringify([l.name, l.title, l.about, l.topics]).toLowerCase().includes(text.toLowerCase()));
  const over = leftOf(view, Date.now()) <= 0 && leftOf(view, Date.now()) !== null || justOver(view.exam, Date.now());
  const busy = !!view.lab || !!word.now, minutes = found.reduce((n, l) => n + (l.minutes || 0), 0);
  return <div class="page">
    <header class="head"><h1>Labs</h1><input type="search" placeholder="Search" aria-label="Search" value={text} onInput={(e) => setText(e.target.value)} />
      <button disabled={busy || !labs} onClick={() => setExam(true)}>An exam…</button></header>
    {over ? <ExamOver exam={view.exam} /> : <><UnderWay view={view} here={here} word={word} start={start} /><LastExam exam={view.exam} /></>}
    {!asked && !exam && <Failure error={error} />}
    {view.lab && !over && <p class="count">One lab is under way at a time: <code>stowage lab stop</code> ends it.</p>}
    {!labs && !error && <p>Reading the labs…</p>}
    {labs && <p class="count">{count(found.length, "lab")}, {minutes} minutes</p>}
    {labs && found.length === 0 && <p class="empty">No lab {text ? "that fits" : "here"}.</p>}
    <ul class="labs">{found.map((l) => <Card key={l.name} lab={l} busy={busy} ask={setAsked} />)}</ul>
    {asked && <Start lab={asked} word={word} start={start} close={() => setAsked(null)} />}
    {exam && <Exam labs={labs} word={word} start={start} close={() => setExam(false)} />}
  </div>;
}
