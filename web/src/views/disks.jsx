// disks.jsx - the cloud's disks, as its own console shows them: they exist in a zone before any volume does.
import { useState } from "preact/hooks";
import { console_ } from "../api.js";
import { Bar, Dialog, Failure, State, useEvery, useWatch } from "../bits.jsx";
import { bytes } from "../quantity.js";
import { Link } from "../route.jsx";

// All pages of a list that comes in pages.
export async function pages(op) {
  const all = [];
  for (let from = 0; ;) {
    const page = await console_(op, { from });
    all.push(...page.items);
    if (!page.more) return all;
    from = page.next;
  }
}

// A form that asks for an operation's members, and says what the cloud says.
function Ask({ title, op, fields, fixed, done, close }) {
  const [error, setError] = useState(null);
  const submit = async (e) => {
    e.preventDefault();
    const body = { ...fixed };
    for (const f of fields) {
      const value = new FormData(e.target).get(f.name);
      if (value === null || value === "") continue;
      body[f.name] = f.type === "number" ? +value : f.type === "checkbox" ? true : value;
    }
    try { await console_(op, body); await done(); close(); } catch (failure) { setError(failure); }
  };
  return <Dialog title={title} close={close}>
    <form onSubmit={submit} class="ask">
      {fields.map((f) => <label>{f.label}
        {f.options ? <select name={f.name}>{f.options.map((o) => <option value={o}>{o}</option>)}</select>
          : <input name={f.name} type={f.type || "text"} min={f.min} required={f.required} value={f.value} />}</label>)}
      <Failure error={error} />
      <button type="submit">{title}</button>
    </form>
  </Dialog>;
}

const TYPES = ["gp3", "gp2", "io1", "io2", "st1", "sc1", "standard"];
const zoneOf = (node) => node.metadata.labels?.["topology.kubernetes.io/zone"] || "";

export function Disks() {
  const [disks, setDisks] = useState(null), [snapshots, setSnapshots] = useState([]), [error, setError] = useState(null), [ask, setAsk] = useState(null);
  const nodes = [...useWatch("/api/v1/nodes").items.values()];
  const load = async () => {
    try { setDisks(await pages("disk-list")); setSnapshots(await pages("disk-snapshots")); setError(null); } catch (e) { setError(e); }
  };
  useEvery(2000, load);
  const act = async (op, body) => { try { await console_(op, body); await load(); } catch (e) { setError(e); } };
  const zones = [...new Set([...nodes.map(zoneOf), ...(disks || []).map((d) => d.AvailabilityZone)])].filter(Boolean).sort();
  const names = nodes.map((n) => n.metadata.name).sort();
  const asks = {
    create: (snapshot) => ({ title: "Create disk", op: "disk-create", fixed: snapshot ? { snapshot } : {}, fields: [
      { name: "zone", label: "Zone", options: zones }, { name: "size", label: "Size in GiB", type: "number", min: 1, required: !snapshot, value: snapshot ? "" : 10 },
      { name: "type", label: "Type", options: TYPES }, { name: "encrypted", label: "Encrypted", type: "checkbox" }] }),
    attach: (d) => ({ title: "Attach", op: "disk-attach", fixed: { id: d.VolumeId }, fields: [{ name: "node", label: `Node (the disk is in ${d.AvailabilityZone})`, options: names }] }),
    modify: (d) => ({ title: "Modify", op: "disk-modify", fixed: { id: d.VolumeId }, fields: [
      { name: "size", label: "Size in GiB", type: "number", min: d.Size, value: d.Size }, { name: "type", label: "Type", options: [d.VolumeType, ...TYPES.filter((t) => t !== d.VolumeType)] }] }),
    snapshot: (d) => ({ title: "Create snapshot", op: "disk-snapshot", fixed: { id: d.VolumeId }, fields: [{ name: "description", label: "Description" }] }),
  };
  return <div class="page">
    <header class="head"><h1>Disks</h1><button onClick={() => setAsk(asks.create())}>Create disk</button></header>
    <p class="zones">{zones.map((z) => <span class="zone"><b>{z}</b> {nodes.filter((n) => zoneOf(n) === z).map((n) => n.metadata.name).join(", ") || "no node"}</span>)}</p>
    <Failure error={error} />
    {disks && disks.length === 0 && <p class="empty">No disk yet. One is made here, by <code>stowage disk create</code>, or by a claim whose class makes them.</p>}
    {zones.map((z) => ({ z, list: (disks || []).filter((d) => d.AvailabilityZone === z) })).filter((g) => g.list.length).map(({ z, list }) =>
      <section><h2>{z}</h2><table class="list"><thead><tr><th>Disk</th><th>Size</th><th>Type</th><th>State</th><th>Attached to</th><th>Volume, claim</th><th>Written</th><th>Do</th></tr></thead>
        <tbody>{list.map((d) => <tr>
          <td><code>{d.VolumeId}</code></td><td>{d.Size} GiB</td><td>{d.VolumeType}</td><td><State word={d.State} /></td>
          <td>{(d.Attachments || []).map((a) => <div>{a.Node} <small>{a.Device}</small></div>)}</td>
          <td>{d.Kubernetes && <><Link to={`object/persistentvolumes/_/${d.Kubernetes.PersistentVolume}`}>{d.Kubernetes.PersistentVolume}</Link>{" "}
            {d.Kubernetes.PersistentVolumeClaim && <Link to={`object/persistentvolumeclaims/${d.Kubernetes.PersistentVolumeClaim}`}>{d.Kubernetes.PersistentVolumeClaim}</Link>}</>}</td>
          <td><Bar used={d.UsedBytes} total={d.Size * 2 ** 30} label="written to the backing file" /> <small>{bytes(d.UsedBytes || 0)}</small></td>
          <td class="do">{d.State === "available" ? <button onClick={() => setAsk(asks.attach(d))}>Attach</button>
            : <button onClick={() => act("disk-detach", { id: d.VolumeId })}>Detach</button>}
            <button onClick={() => setAsk(asks.snapshot(d))}>Snapshot</button><button onClick={() => setAsk(asks.modify(d))}>Modify</button>
            <button class="danger" onClick={() => confirm(`Delete ${d.VolumeId} and all that is on it?`) && act("disk-remove", { id: d.VolumeId })}>Delete</button></td>
        </tr>)}</tbody></table></section>)}
    {snapshots.length > 0 && <section><h2>Snapshots</h2><table class="list"><thead><tr><th>Snapshot</th><th>Of</th><th>Size</th><th>State</th><th>Do</th></tr></thead>
      <tbody>{snapshots.map((s) => <tr><td><code>{s.SnapshotId}</code></td><td><code>{s.VolumeId}</code></td><td>{s.VolumeSize} GiB</td><td><State word={s.State} /></td>
        <td class="do"><button onClick={() => setAsk(asks.create(s.SnapshotId))}>Restore to a disk</button>
          <button class="danger" onClick={() => act("disk-remove", { id: s.SnapshotId })}>Delete</button></td></tr>)}</tbody></table></section>}
    {ask && <Ask {...ask} done={load} close={() => setAsk(null)} />}
  </div>;
}
