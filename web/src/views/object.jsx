// object.jsx - one object: what it is, its conditions, its events, its YAML; edit and delete.
import { dump } from "js-yaml";
import { useEffect, useState } from "preact/hooks";
import { call, objectPath } from "../api.js";
import { Dialog, Failure, State, useWatch } from "../bits.jsx";
import { age } from "../quantity.js";
import { Link, navigate } from "../route.jsx";
import { Edit } from "./edit.jsx";
import { nameOfKind, useKinds } from "./resources.jsx";

export const yamlOf = (object, { managed = false } = {}) => dump(managed ? object : { ...object, metadata: { ...object.metadata, managedFields: undefined } }, { lineWidth: 120, noRefs: true, skipInvalid: true });

// What goes when this goes.
function consequences(o) {
  const found = [];
  const policy = o.spec?.persistentVolumeReclaimPolicy;
  if (o.kind === "PersistentVolumeClaim") {
    found.push(o.spec.volumeName ? `Its volume ${o.spec.volumeName} follows its own reclaim policy: Delete takes the disk and the bytes along, Retain keeps them as Released.` : "It has no volume yet.");
    if (o.metadata.finalizers?.includes("kubernetes.io/pvc-protection")) found.push("While a pod uses it, it stays as Terminating (kubernetes.io/pvc-protection).");
  }
  if (o.kind === "PersistentVolume") found.push(o.status?.phase === "Bound" ? "It is bound: it stays as Terminating until its claim is gone (kubernetes.io/pv-protection)." : policy === "Delete" ? "Its disk goes with it." : "Its disk stays; only the object goes.");
  if (o.kind === "Namespace") found.push("Everything in it goes, claims and their volumes included.");
  if (o.kind === "StatefulSet") found.push(`Its claims ${o.spec.persistentVolumeClaimRetentionPolicy?.whenDeleted === "Delete" ? "go, too" : "stay"}.`);
  if (/^(Deployment|ReplicaSet|StatefulSet|DaemonSet|Job|CronJob)$/.test(o.kind)) found.push("What it made (its pods) goes with it.");
  if (o.kind === "Pod" && o.metadata.ownerReferences?.length) found.push(`${o.metadata.ownerReferences[0].kind} ${o.metadata.ownerReferences[0].name} makes another in its place.`);
  if (o.metadata.finalizers?.length) found.push(`Held by: ${o.metadata.finalizers.join(", ")}.`);
  return found;
}

function Delete({ object, path, close }) {
  const [error, setError] = useState(null);
  const go = async () => { try { await call("DELETE", path, { body: { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Background" } }); close(); } catch (e) { setError(e); } };
  return <Dialog title={`Delete ${object.metadata.name}?`} close={close}>
    <ul>{consequences(object).map((c) => <li>{c}</li>)}</ul><Failure error={error} />
    <button class="danger" onClick={go}>Delete</button> <button onClick={close}>Keep</button>
  </Dialog>;
}

function Facts({ object: o }) {
  const rows = [["Created", `${o.metadata.creationTimestamp || ""} (${age(o.metadata.creationTimestamp)} ago)`], ["Status", o.status?.phase && <State word={o.metadata.deletionTimestamp ? "Terminating" : o.status.phase} />],
    ["Class", o.spec?.storageClassName], ["Volume", o.spec?.volumeName && <Link to={`object/persistentvolumes/_/${o.spec.volumeName}`}>{o.spec.volumeName}</Link>],
    ["Claim", o.spec?.claimRef && <Link to={`object/persistentvolumeclaims/${o.spec.claimRef.namespace}/${o.spec.claimRef.name}`}>{o.spec.claimRef.namespace}/{o.spec.claimRef.name}</Link>],
    ["Size", o.status?.capacity?.storage || o.spec?.capacity?.storage || o.spec?.resources?.requests?.storage], ["Access", o.spec?.accessModes?.join(", ")], ["Reclaim", o.spec?.persistentVolumeReclaimPolicy || o.reclaimPolicy],
    ["Node", o.spec?.nodeName && <Link to={`object/nodes/_/${o.spec.nodeName}`}>{o.spec.nodeName}</Link>], ["Labels", Object.entries(o.metadata.labels || {}).map(([k, v]) => `${k}=${v}`).join("  ")],
    ["Finalizers", o.metadata.finalizers?.join(", ")], ["Owner", o.metadata.ownerReferences?.map((r) => `${r.kind} ${r.name}`).join(", ")]];
  return <dl class="facts">{rows.filter(([, v]) => v).map(([k, v]) => [<dt>{k}</dt>, <dd>{v}</dd>])}</dl>;
}

function Events({ object }) {
  const events = [...useWatch(`/api/v1/events?fieldSelector=involvedObject.uid=${object.metadata.uid}`).items.values()]
    .sort((a, b) => (a.lastTimestamp || a.eventTime || "").localeCompare(b.lastTimestamp || b.eventTime || ""));
  if (!events.length) return <p>No events.</p>;
  return <div class="scroll"><table class="list"><thead><tr><th>Type</th><th>Reason</th><th>Age</th><th>From</th><th>Message</th></tr></thead><tbody>{events.map((e) =>
    <tr class={e.type === "Warning" ? "warning" : ""}><td>{e.type}</td><td>{e.reason}</td><td>{age(e.lastTimestamp || e.eventTime)}{e.count > 1 ? ` ×${e.count}` : ""}</td><td>{e.source?.component || e.reportingComponent}</td><td>{e.message}</td></tr>)}</tbody></table></div>;
}

export function ObjectPage({ route }) {
  const all = useKinds(), [what, space, name] = route.parts, ns = space === "_" ? "" : space;
  const kind = all.find((k) => nameOfKind(k) === what) || all.find((k) => k.plural === what);
  const { items, ready, error } = useWatch(kind && `${objectPath(kind, ns, "").slice(0, -1)}?fieldSelector=metadata.name=${encodeURIComponent(name)}`);
  const [doing, setDoing] = useState(""), [last, setLast] = useState(null), [managed, setManaged] = useState(false);
  const now = [...items.values()][0], object = now || last;
  useEffect(() => { if (now) setLast(now); }, [now]);
  if (error) return <div class="page"><Failure error={error} /></div>;
  if (!kind || !ready) return <div class="page"><p>{all.length && !kind ? `This server has no kind ${what}.` : "Loading…"}</p></div>;
  if (!object) return <div class="page"><h1>{name}</h1><p class="empty">There is no such {kind.kind}{ns ? ` in ${ns}` : ""} (any more).</p></div>;
  const path = objectPath(kind, ns, name), whole = { apiVersion: kind.group ? `${kind.group}/${kind.version}` : kind.version, kind: kind.kind, ...object };
  return <div class="page">
    <header class="head"><h1><small>{kind.kind}</small> {name}</h1>
      {kind.kind === "Pod" && <Link class="button" to={`terminals?pod=${ns}/${name}`}>Terminal and logs</Link>}{kind.kind === "Node" && <Link class="button" to={`terminals?node=${name}`}>Terminal</Link>}
      {kind.kind === "PersistentVolumeClaim" && <Link class="button" to={`?see=${encodeURIComponent(`claim:${ns}/${name}`)}`}>On the map</Link>}
      <button onClick={() => setDoing("edit")} disabled={!now}>Edit</button><button class="danger" onClick={() => setDoing("delete")} disabled={!now}>Delete</button></header>
    {!now && <p class="banner" role="status">It was deleted; this is how it last was.</p>}
    <p class="crumbs"><Link to={`resources/${nameOfKind(kind)}${ns ? `?ns=${ns}` : ""}`}>{kind.plural}</Link>{ns ? ` in ${ns}` : ""}</p>
    <Facts object={whole} />
    {object.status?.conditions?.length > 0 && <section><h2>Conditions</h2><div class="scroll"><table class="list"><thead><tr><th>Type</th><th>Status</th><th>Reason</th><th>Message</th></tr></thead>
      <tbody>{object.status.conditions.map((c) => <tr><td>{c.type}</td><td>{c.status}</td><td>{c.reason}</td><td>{c.message}</td></tr>)}</tbody></table></div></section>}
    <section><h2>Events</h2><Events object={object} /></section>
    <section><h2>YAML</h2><label class="tick"><input type="checkbox" checked={managed} onChange={(e) => setManaged(e.target.checked)} /> managed fields</label><pre class="yaml" tabindex="0">{yamlOf(whole, { managed })}</pre></section>
    {doing === "edit" && <Edit object={whole} path={path} close={() => setDoing("")} />}
    {doing === "delete" && <Delete object={whole} path={path} close={() => { setDoing(""); if (!now) navigate(`resources/${nameOfKind(kind)}`); }} />}
  </div>;
}
