// main.jsx - the frame: who is signed in, where one is, what the keys do. Views are in views/, one a file; a new one is a
// row in `views`.
import { render } from "preact";
import { lazy, Suspense } from "preact/compat";
import { useEffect, useState } from "preact/hooks";
import { console_, farewell, get, onLine } from "./api.js";
import { Link, navigate, useRoute } from "./route.jsx";
import { SignIn } from "./signin.jsx";
import { Help } from "./help.jsx";
import { StorageMap } from "./views/map.jsx";
import { Resources } from "./views/resources.jsx";
import { ObjectPage } from "./views/object.jsx";
import { Terminals } from "./views/terminals.jsx";
import { Disks } from "./views/disks.jsx";
import { Timeline } from "./views/timeline.jsx";
import { Class } from "./views/class.jsx";
import "./style.css";

const Labs = lazy(() => import("./views/labs.jsx"));

const views = [
  { at: "", title: "Storage", key: "m", View: StorageMap },
  { at: "resources", title: "Resources", key: "r", View: Resources },
  { at: "object", View: ObjectPage },
  { at: "terminals", title: "Terminals", key: "t", View: Terminals },
  { at: "disks", title: "Disks", key: "d", View: Disks },
  { at: "timeline", title: "Timeline", key: "l", View: Timeline },
  { at: "labs", title: "Labs", key: "b", View: Labs },
  { at: "class", title: "Class", key: "c", View: Class, only: "teacher" },
];
const VIEWER = "stowage:viewer", CHANGES = ["terminals", "labs"]; // who only looks, and what that one can do nothing with
// A teacher's cluster has a class; whom it is not told to has none.
const hasClass = () => console_("status").then((s) => !!s.class, () => false);

function Line({ state }) {
  if (state === "left") return <p class="banner" role="status">{farewell()}</p>;
  if (state !== "lost") return null;
  return <p class="banner" role="alert">The cluster does not answer. Trying again; what you see is as it last was.</p>;
}

const typing = (e) => /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) || e.target.isContentEditable || e.target.closest(".xterm");

function useKeys(openHelp) {
  useEffect(() => {
    let g = 0;
    const onKey = (e) => {
      if (typing(e) || e.ctrlKey || e.metaKey || e.altKey) return;
      if (e.key === "?") openHelp(true);
      else if (e.key === "Escape") openHelp(false);
      else if (e.key === "/") { document.querySelector("input[type=search]")?.focus(); e.preventDefault(); }
      else if (e.key === "g") g = Date.now();
      else if (Date.now() - g < 1500) {
        const view = views.find((v) => v.key === e.key);
        if (view) navigate(view.at);
        g = 0;
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

function Nav({ at, user, shown }) {
  const out = async () => { await fetch("/console/logout", { method: "POST" }); location.href = "/console/"; };
  return <nav class="side" aria-label="Views">
    <Link to="" class="brand">Stowage</Link>
    <ul>{shown.filter((v) => v.title).map((v) =>
      <li><Link to={v.at} aria-current={v.at === at ? "page" : undefined}>{v.title}</Link></li>)}</ul>
    <div class="who"><span title="signed in as">{user || "…"}</span> <button class="plain" onClick={out}>Sign out</button></div>
  </nav>;
}

function App() {
  const route = useRoute();
  const [line, setLine] = useState("live");
  const [user, setUser] = useState(null);
  const [help, setHelp] = useState(false);
  useEffect(() => onLine(setLine), []);
  const [teacher, setTeacher] = useState(false);
  useEffect(() => { who().then(setUser, () => setUser(false)); }, []);
  useEffect(() => { if (user) hasClass().then(setTeacher); }, [user]);
  useKeys(setHelp);
  if (user === false || line === "signed-out") return <SignIn expired={location.search === "?expired"} />;
  // The view asks for its objects while the cluster is still asked who this is.
  const view = views.find((v) => v.at === route.at) || views[0], looks = user === VIEWER;
  const shown = views.filter((v) => (!v.only || teacher) && !((looks || !user) && CHANGES.includes(v.at)));
  return <div class="frame">
    <Nav at={view.at} user={user} shown={shown} />
    <main id="main" tabindex="-1"><Line state={line} />{looks && <p class="looks" role="note">You look at this cluster and can change nothing in it.</p>}
      <Suspense fallback={<p class="first">Loading…</p>}><view.View route={route} key={view.at} /></Suspense></main>
    {help && <Help close={() => setHelp(false)} views={views} />}
  </div>;
}

// Waits for a cluster that is away; false only from one that does not know us.
async function who() {
  for (;;) {
    try {
      await get("/api/v1/namespaces/default");
      const review = await fetch("/apis/authentication.k8s.io/v1/selfsubjectreviews", { method: "POST", credentials: "same-origin",
        headers: { "Content-Type": "application/json" }, body: '{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}' });
      return (await review.json()).status?.userInfo?.username || "signed in";
    } catch (e) {
      if (e.status === 401) return false;
      if (e.status === 403) return /anonymous/.test(e.message) ? false : "signed in";
      await new Promise((r) => setTimeout(r, 1000));
    }
  }
}

render(<App />, document.getElementById("app"));
