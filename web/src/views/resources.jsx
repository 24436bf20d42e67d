// resources.jsx - every kind the server lists, as the server's own table, live. resources/PLURAL[.GROUP]?ns=&l=
import { useEffect, useState } from "preact/hooks";
import { collection, kinds } from "../api.js";
import { Failure, State, tone, useWatch } from "../bits.jsx";
import { age } from "../quantity.js";
import { Link, navigate, objectLink } from "../route.jsx";
import { Create } from "./edit.jsx";

export const nameOfKind = (k) => k.group ? `${k.plural}.${k.group}` : k.plural;
const FIRST = ["persistentvolumeclaims", "persistentvolumes", "storageclasses", "volumeattachments", "volumesnapshots", "pods", "deployments", "statefulsets", "services", "configmaps", "secrets", "nodes", "namespaces", "events"];

export function useKinds() {
  const [all, setAll] = useState([]);
  useEffect(() => { kinds().then(setAll, () => {}); }, []);
  return all;
}

function Cell({ value, column }) {
  if (column.type === "date" && value) return <time dateTime={value}>{age(value)}</time>;
  return column.name === "Status" && value ? <State word={String(value)} /> : <>{value === null || value === undefined ? "" : String(value)}</>;
}

function Table({ kind, ns, label, text }) {
  const path = collection(kind, ns) + (label ? `?labelSelector=${encodeURIComponent(label)}` : "");
  const { items, columns, ready, error } = useWatch(path, { tables: true });
  if (error) return <Failure error={error} />;
  if (!ready) return <p>Listing…</p>;
  const shown = (columns || []).map((c, i) => ({ ...c, i })).filter((c) => c.priority === 0);
  const rows = [...items.values()].filter((r) => !text || r.cells.join(" ").toLowerCase().includes(text.toLowerCase()) || (r.object.metadata.namespace || "").includes(text))
    .sort((a, b) => (a.object.metadata.namespace || "").localeCompare(b.object.metadata.namespace || "") || a.object.metadata.name.localeCompare(b.object.metadata.name));
  if (rows.length === 0) return <p class="empty">No {kind.plural} {ns ? `in ${ns}` : "in this cluster"}{text || label ? " that fit" : ""}.</p>;
  return <><p class="count">{rows.length} {kind.plural}</p><div class="scroll"><table class="list">
    <thead><tr>{kind.namespaced && !ns && <th>Namespace</th>}{shown.map((c) => <th title={c.description}>{c.name}</th>)}</tr></thead>
    <tbody>{rows.slice(0, 1000).map((r) => <tr key={`${r.object.metadata.namespace}/${r.object.metadata.name}`}>{kind.namespaced && !ns && <td>{r.object.metadata.namespace}</td>}
      {shown.map((c) => <td>{c.name === "Name" ? <Link to={objectLink(kind, r.object.metadata.namespace, r.object.metadata.name)}>{r.cells[c.i]}</Link> : <Cell value={r.cells[c.i]} column={c} />}</td>)}</tr>)}</tbody>
  </table></div></>;
}

export function Resources({ route }) {
  const all = useKinds(), namespaces = [...useWatch("/api/v1/namespaces").items.keys()].map((k) => k.slice(1)).sort();
  const [create, setCreate] = useState(false), [text, setText] = useState(""), [label, setLabel] = useState(route.query.get("l") || "");
  const wanted = route.parts[0] || "persistentvolumeclaims", ns = route.query.get("ns") || "";
  const kind = all.find((k) => nameOfKind(k) === wanted) || all.find((k) => k.plural === wanted);
  const go = (plural, space, l) => navigate(`resources/${plural}?${new URLSearchParams({ ...(space && { ns: space }), ...(l && { l }) })}`.replace(/\?$/, ""));
  const first = FIRST.map((p) => all.find((k) => k.plural === p)).filter(Boolean), rest = all.filter((k) => !first.includes(k)).sort((a, b) => a.plural.localeCompare(b.plural));
  return <div class="page">
    <header class="head"><h1>Resources</h1><button onClick={() => setCreate(true)}>Create from YAML</button></header>
    <form class="filters" onSubmit={(e) => { e.preventDefault(); go(wanted, ns, label); }}>
      <label>Kind <select value={wanted} onChange={(e) => go(e.target.value, ns, label)}>
        <optgroup label="Often">{first.map((k) => <option value={nameOfKind(k)}>{k.kind}</option>)}</optgroup>
        <optgroup label="All">{rest.map((k) => <option value={nameOfKind(k)}>{k.kind}{k.group ? ` (${k.group})` : ""}</option>)}</optgroup></select></label>
      <label>Namespace <select value={ns} onChange={(e) => go(wanted, e.target.value, label)}><option value="">all</option>{namespaces.map((n) => <option value={n}>{n}</option>)}</select></label>
      <label>Labels <input value={label} placeholder="app=nginx" onInput={(e) => setLabel(e.target.value)} onBlur={() => go(wanted, ns, label)} /></label>
      <input type="search" placeholder="Search" aria-label="Search" value={text} onInput={(e) => setText(e.target.value)} />
    </form>
    {kind ? <Table kind={kind} ns={kind.namespaced ? ns : ""} label={route.query.get("l") || ""} text={text} key={`${wanted} ${ns} ${route.query.get("l")}`} /> : all.length > 0 && <p class="error">This server has no kind {wanted}.</p>}
    {create && <Create close={() => setCreate(false)} ns={ns || "default"} />}
  </div>;
}
export { tone };
