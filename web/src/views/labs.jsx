// labs.jsx - labs: labs/all is the catalogue, labs the one that is under way, labs/step/NAME a step of it to look back at.
// A lab has a cluster of its own, and that cluster's console is where it is done: any other console shows the catalogue, and
// leads there.
import { useEffect, useRef, useState } from "preact/hooks";
import { leave } from "../api.js";
import { Failure, useEvery } from "../bits.jsx";
import { catalogue, justOver, leftOf, mark, run } from "../lab_jobs.js";
import { Catalogue, ExamOver } from "./labs_catalogue.jsx";
import { Running } from "./labs_running.jsx";

// Where one is, kept up to date: what somebody does in a terminal is seen, too.
function useLab() {
  const [lab, setLab] = useState({ view: null, mark: null, error: null }), seen = useRef(null), asking = useRef(false);
  const take = (view) => setLab((l) => ({ ...l, view: { ...view, at: Date.now() }, error: null }));
  const ask = async () => {
    const now = await mark();
    setLab((l) => ({ ...l, mark: now }));
    if (now.mark === seen.current || now.job || asking.current) return;
    asking.current = true;
    try {
      take((await run("status")).result);
      seen.current = now.mark;
    } catch (error) { setLab((l) => ({ ...l, error })); } finally { asking.current = false; }
  };
  useEvery(1500, ask);
  return { ...lab, take };
}

// One word at a time, with what it says as it goes on: {word, lines, checks, job}.
function useWord(take) {
  const [now, setNow] = useState(null), [error, setError] = useState(null);
  const go = async (word, body, options = {}) => {
    setError(null);
    setNow({ word, lines: [], checks: [], job: options.job });
    try {
      const done = await run(word, body, { job: options.job, begun: (job) => setNow((n) => ({ ...n, job })),
        told: (said) => setNow((n) => said.check ? { ...n, checks: [...n.checks, said.check] } : said.progress ? { ...n, lines: [...n.lines, said.progress] } : n) });
      if (done.result) take(done.result);
      return done;
    } catch (e) {
      setError(e);
      return null;
    } finally { setNow(null); }
  };
  return { now, error, go, fail: setError };
}

// An exam's end by itself: its clusters go, and with them the console of the one that this page is of. In time the way home
// is asked for, to the console that the labs belong to; it shows the result, too. {over: the time is, home}.
const LINK_LASTS = 240; // seconds, and a minute to spare
function useExamEnd(view, away) {
  const [over, setOver] = useState(false), home = useRef(null), going = useRef(false);
  const askHome = () => home.current ||= run("home").then((r) => r.text.trim(), () => "");
  useEffect(() => {
    const turn = () => {
      const left = leftOf(view, Date.now());
      setOver(left !== null && left <= 0);
      if (away && left !== null && left < LINK_LASTS) askHome();
    };
    const timer = setInterval(turn, 1000);
    turn();
    return () => clearInterval(timer);
  }, [view, away]);
  const ended = away && justOver(view?.exam, Date.now());
  useEffect(() => {
    if (!ended && !(over && away)) return;
    leave("The exam is over. Its clusters go, its result is kept: stowage lab exam status.");
    if (!ended || going.current) return;
    going.current = true; // the link is good once
    askHome().then((link) => { if (link) location.href = link; });
  }, [ended, over, away]);
  return over;
}

// The page goes where the lab's cluster has its console.
const follow = (done) => { if (done?.result?.console) location.href = done.result.console; };

export default function Labs({ route }) {
  const { view, mark: now, error, take } = useLab(), word = useWord(take);
  const [labs, setLabs] = useState(null), [listError, setListError] = useState(null);
  const here = view?.lab && now && view.cluster.data === now.data;
  const over = useExamEnd(view, !!now && now.data !== now.owner);
  const list = route.parts[0] === "all" || view && !here;
  useEffect(() => { if (list) catalogue().then(setLabs, setListError); }, [list, view?.lab, view?.points]);
  // A page that was loaded anew sees what is under way.
  useEffect(() => { if (now?.job && !word.now) word.go(now.word, {}, { job: now.job }).then(follow); }, [now?.job]);
  if (error && !view) return <div class="page"><h1>Labs</h1><Failure error={error} /></div>;
  if (!view || !now) return <div class="page"><h1>Labs</h1><p>Asking where you are…</p></div>;
  const start = async (op, body) => follow(await word.go(op, body));
  const end = async (op) => { // this page's cluster goes with it
    const home = await run("home").then((r) => r.text.trim(), () => "");
    leave(`${view.title || "The lab"} is over. Its cluster is gone, its result is kept: stowage lab history.`);
    await run(op).catch(() => {});
    if (home) location.href = home;
  };
  if (over && here) return <div class="page"><h1>Labs</h1><ExamOver exam={view.exam} /></div>;
  if (list) return <Catalogue labs={labs} error={listError || word.error} view={view} here={here} word={word} start={start} />;
  return <Running view={view} step={route.parts[0] === "step" ? route.parts[1] : null} route={route} word={word} start={start} end={end} />;
}
