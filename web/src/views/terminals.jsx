// terminals.jsx - shells in containers and on nodes, logs that are followed, files of a pod: several side by side.
// terminals?pod=ns/name or ?node=name opens one.
import { lazy, Suspense } from "preact/compat";
import { useEffect, useState } from "preact/hooks";
import { useWatch } from "../bits.jsx";
import { Files } from "./files.jsx";
import { Logs } from "./logs.jsx";

const Terminal = lazy(() => import("./terminal.jsx"));
let next = 1;

function Pane({ pane, close }) {
  const what = pane.node ? `node ${pane.node}` : `${pane.ns}/${pane.pod} ${pane.container}`;
  return <section class="pane" aria-label={`${pane.kind} ${what}`}>
    <header><b>{pane.kind}</b> {what}<button class="plain" aria-label={`Close ${what}`} onClick={close}>✕</button></header>
    {pane.kind === "shell" ? <Suspense fallback={<p>Loading the terminal…</p>}><Terminal {...pane} /></Suspense> : pane.kind === "logs" ? <Logs {...pane} /> : <Files {...pane} />}
  </section>;
}

export function Terminals({ route }) {
  const pods = [...useWatch("/api/v1/pods").items.values()].sort((a, b) => (a.metadata.namespace + a.metadata.name).localeCompare(b.metadata.namespace + b.metadata.name));
  const nodes = [...useWatch("/api/v1/nodes").items.values()].map((n) => n.metadata.name).sort();
  const [panes, setPanes] = useState([]), [choice, setChoice] = useState("");
  const open = (pane) => setPanes((all) => [...all, { ...pane, id: next++ }]);
  const places = [...nodes.map((n) => ({ key: `node:${n}`, title: `node ${n}`, pane: { node: n } })), ...pods.flatMap((p) => (p.spec.containers || []).map((c) => ({ key: `pod:${p.metadata.namespace}/${p.metadata.name}/${c.name}`,
    title: `${p.metadata.namespace}/${p.metadata.name} ${c.name}`, pane: { ns: p.metadata.namespace, pod: p.metadata.name, container: c.name, mounts: (c.volumeMounts || []).map((m) => m.mountPath) } })))];
  const asked = route.query.get("pod") ? `pod:${route.query.get("pod")}/` : route.query.get("node") ? `node:${route.query.get("node")}` : "";
  const place = places.find((p) => p.key === choice) || places.find((p) => asked && (p.key === asked || p.key.startsWith(asked)));
  useEffect(() => { if (asked && place && !panes.length) open({ kind: "shell", ...place.pane }); }, [asked, !!place]);
  return <div class="page terminals">
    <header class="head"><h1>Terminals</h1>
      <label>Where <select value={place?.key || ""} onChange={(e) => setChoice(e.target.value)}><option value="">choose</option>{places.map((p) => <option value={p.key}>{p.title}</option>)}</select></label>
      <button disabled={!place} onClick={() => open({ kind: "shell", ...place.pane })}>Shell</button>
      <button disabled={!place?.pane.pod} onClick={() => open({ kind: "logs", ...place.pane })}>Logs</button>
      <button disabled={!place?.pane.pod} onClick={() => open({ kind: "files", ...place.pane })}>Files</button></header>
    {panes.length === 0 && <p class="empty">Choose a container or a node, then what to open. Several stand side by side.</p>}
    <div class="panes">{panes.map((p) => <Pane key={p.id} pane={p} close={() => setPanes((all) => all.filter((x) => x.id !== p.id))} />)}</div>
  </div>;
}
