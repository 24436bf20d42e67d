// edit.jsx - YAML to the server and back: create, and edit with the server's dry run and a diff before anything is done.
import { load, loadAll } from "js-yaml";
import { lazy, Suspense } from "preact/compat";
import { useRef, useState } from "preact/hooks";
import { call, collection, kindOf } from "../api.js";
import { Dialog, Failure } from "../bits.jsx";
import { differences } from "../diff.js";
import { objectLink, navigate } from "../route.jsx";
import { yamlOf } from "./object.jsx";
import { marksOf } from "./yaml_lines.js";

const Editor = lazy(() => import("./editor.jsx"));
const Text = (props) => <Suspense fallback={<p>Loading the editor…</p>}><Editor {...props} /></Suspense>;

export function Create({ close, ns }) {
  const [marks, setMarks] = useState([]), [error, setError] = useState(null), [made, setMade] = useState([]), text = useRef("");
  const submit = async () => {
    const done = [];
    try {
      for (const object of loadAll(text.current).filter(Boolean)) {
        const kind = await kindOf(object.apiVersion, object.kind);
        if (!kind) throw new Error(`no matches for kind "${object.kind}" in version "${object.apiVersion}"`);
        const answer = await call("POST", `${collection(kind, object.metadata?.namespace || ns)}?fieldManager=stowage-console&fieldValidation=Strict`, { body: object });
        done.push({ kind, answer });
      }
      close();
      if (done.length === 1) navigate(objectLink(done[0].kind, done[0].answer.metadata.namespace, done[0].answer.metadata.name));
    } catch (e) { setError(e); setMarks(marksOf(text.current, e)); }
    setMade(done.map((d) => `${d.answer.kind} ${d.answer.metadata.name} created`));
  };
  return <Dialog title="Create from YAML" close={close} wide>
    <Text value="" marks={marks} onChange={(t) => (text.current = t)} label="YAML" />
    {made.map((m) => <p role="status">{m}</p>)}<Failure error={error} />
    <button onClick={submit}>Create</button>
  </Dialog>;
}

export function Edit({ object, path, close }) {
  const before = useRef(yamlOf(object)), text = useRef(before.current);
  const [marks, setMarks] = useState([]), [error, setError] = useState(null), [changes, setChanges] = useState(null);
  const send = async (dry) => {
    try {
      const answer = await call("PUT", `${path}?fieldManager=stowage-console&fieldValidation=Strict${dry ? "&dryRun=All" : ""}`, { body: load(text.current) });
      setError(null); setMarks([]);
      if (dry) setChanges(differences(object, answer)); else close();
    } catch (e) { setError(e); setMarks(marksOf(text.current, e)); setChanges(null); }
  };
  return <Dialog title={`Edit ${object.metadata.name}`} close={close} wide>
    <Text value={before.current} marks={marks} onChange={(t) => { text.current = t; setChanges(null); }} label="YAML" />
    {changes && (changes.length ? <table class="list changes"><thead><tr><th>Field</th><th>Now</th><th>Then</th></tr></thead><tbody>{changes.map((c) => <tr><td><code>{c.path}</code></td><td><del>{c.before}</del></td><td><ins>{c.after}</ins></td></tr>)}</tbody></table> : <p>Nothing would change.</p>)}
    <Failure error={error} />
    {changes?.length ? <button onClick={() => send(false)}>Apply</button> : <button onClick={() => send(true)}>Show what changes</button>}
  </Dialog>;
}
