// timeline.jsx - what happened, in order: events as the cluster tells them, and changes of the objects in view, with what
// changed. ?of=claims/default/x narrows it to one claim and what belongs to it.
import { useEffect, useRef, useState } from "preact/hooks";
import { watch } from "../api.js";
import { Link } from "../route.jsx";
import { differences } from "../diff.js";

const KINDS = [["PersistentVolumeClaim", "/api/v1/persistentvolumeclaims", "persistentvolumeclaims"], ["PersistentVolume", "/api/v1/persistentvolumes", "persistentvolumes"],
  ["Pod", "/api/v1/pods", "pods"], ["StorageClass", "/apis/storage.k8s.io/v1/storageclasses", "storageclasses.storage.k8s.io"],
  ["VolumeAttachment", "/apis/storage.k8s.io/v1/volumeattachments", "volumeattachments.storage.k8s.io"], ["Node", "/api/v1/nodes", "nodes"]];
const MOST = 2000;

// The names that belong together: a claim, its volume, the pods that use it.
function related(object, of) {
  if (!of) return true;
  const text = JSON.stringify([object.metadata.name, object.spec, object.regarding, object.involvedObject]);
  return of.names.some((name) => text.includes(JSON.stringify(name).slice(1, -1)));
}

export function Timeline({ route }) {
  const [rows, setRows] = useState([]), [filter, setFilter] = useState(""), [at, setAt] = useState(null);
  const log = useRef([]);
  const wanted = route.query.get("of");
  useEffect(() => {
    log.current = [];
    const stops = [], of = wanted ? { names: [wanted.split("/").pop()] } : null;
    let frame = 0;
    const add = (row) => {
      log.current.push(row);
      if (log.current.length > MOST) log.current.shift();
      frame ||= requestAnimationFrame(() => { frame = 0; setRows([...log.current].sort((a, b) => a.time - b.time)); });
    };
    for (const [kind, path, plural] of KINDS)
      stops.push(watch(path, () => {}, { onChangeOf: (type, object, before) => {
        if (kind === "Node" && type === "MODIFIED" && !differences(before, object, ["status.conditions", "status.images"]).length) return;
        if (of && kind === "PersistentVolumeClaim" && object.metadata.name === of.names[0] && object.spec.volumeName && !of.names.includes(object.spec.volumeName))
          of.names.push(object.spec.volumeName);
        if (!related(object, of)) return;
        add({ time: Date.now(), kind, plural, ns: object.metadata.namespace, name: object.metadata.name, what: { ADDED: "created", MODIFIED: "changed", DELETED: "deleted" }[type],
          changes: type === "MODIFIED" ? differences(before, object) : [] });
      } }));
    stops.push(watch("/api/v1/events", (items) => {
      const seen = new Set(log.current.map((r) => r.event));
      for (const e of items.values()) {
        const id = `${e.metadata.uid}/${e.count || 1}`;
        if (seen.has(id) || !related(e, of)) continue;
        add({ event: id, time: Date.parse(e.lastTimestamp || e.eventTime || e.metadata.creationTimestamp), kind: e.involvedObject.kind, ns: e.involvedObject.namespace, name: e.involvedObject.name,
          what: e.reason, text: e.message, warning: e.type === "Warning", by: e.source?.component || e.reportingComponent });
      }
    }));
    return () => { for (const stop of stops) stop(); cancelAnimationFrame(frame); };
  }, [wanted]);
  const fits = rows.filter((r) => !filter || JSON.stringify([r.kind, r.name, r.what, r.text]).toLowerCase().includes(filter.toLowerCase()));
  const shown = at === null ? fits : fits.slice(0, at + 1);
  return <div class="page">
    <header class="head"><h1>Timeline{wanted ? ` of ${wanted}` : ""}</h1><input type="search" placeholder="Search" aria-label="Search" value={filter} onInput={(e) => setFilter(e.target.value)} /></header>
    {fits.length > 1 && <p class="replay"><label>Replay <input type="range" min="0" max={fits.length - 1} value={at ?? fits.length - 1}
      onInput={(e) => setAt(+e.target.value === fits.length - 1 ? null : +e.target.value)} /></label> {shown.length} of {fits.length}</p>}
    {fits.length === 0 && <p class="empty">Nothing yet. Events of the last hour, and changes from now on, stand here in their order.</p>}
    <ol class="timeline">{shown.slice(-500).map((r) => <li class={r.warning ? "warning" : ""}>
      <time dateTime={new Date(r.time).toISOString()}>{new Date(r.time).toLocaleTimeString([], { hour12: false, fractionalSecondDigits: r.event ? undefined : 2 })}</time>
      <span class="kind">{r.kind}</span> {r.plural ? <Link to={`object/${r.plural}/${r.ns || "_"}/${r.name}`}>{r.name}</Link> : <span>{r.name}</span>} <b>{r.what}</b>
      {r.text && <span> {r.text}</span>} {r.by && <small>{r.by}</small>}
      {r.changes?.length > 0 && <ul class="changes">{r.changes.slice(0, 12).map((c) => <li><code>{c.path}</code> <del>{c.before}</del> <ins>{c.after}</ins></li>)}</ul>}
    </li>)}</ol>
  </div>;
}
