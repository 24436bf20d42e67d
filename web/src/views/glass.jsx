// glass.jsx - one thing of the map, seen through: why it is as it is, and for what holds bytes the layers from the path in
// the pod down to the file that keeps them, each as the kernel tells it.
import { useState } from "preact/hooks";
import { console_ } from "../api.js";
import { Bar, Failure, State, useEvery } from "../bits.jsx";
import { bytes } from "../quantity.js";
import { Link, objectLink } from "../route.jsx";

const KIND = { claim: { plural: "persistentvolumeclaims" }, volume: { plural: "persistentvolumes" }, class: { plural: "storageclasses", group: "storage.k8s.io" }, node: { plural: "nodes" }, pod: { plural: "pods" } };
const WHY = { claim: "pvc", volume: "pv", pod: "pod" };

function Why({ told }) {
  if (!told) return null;
  return <section class="why"><h3>Why</h3>
    <p>{told.because}</p>
    {told.waitsFor && <p>Waits for: {told.waitsFor} <small>({told.actor})</small></p>}
    {told.changes?.length > 0 && <><h4>What would make it work</h4><ul>{told.changes.map((c) => <li>{c.text}{c.command && <pre><code>{c.command}</code></pre>}</li>)}</ul></>}
    {told.candidates?.length > 0 && <details><summary>Volumes looked at: {told.candidates.length}</summary>
      {told.candidates.slice(0, 50).map((c) => <div class="candidate"><b>{c.name}</b> {c.chosen ? "chosen" : c.fits ? "fits" : "does not fit"}
        <ul>{(c.rules || []).map((r) => <li class={r.ok ? "ok" : "not"}>{r.ok ? "✓" : "✕"} {r.rule}: wants {String(r.wants)}, has {String(r.has)}</li>)}</ul></div>)}</details>}
    {told.finalizers?.map((f) => <p>Held by <code>{f.name}</code>: {f.text}</p>)}
  </section>;
}

const Layer = ({ name, children, used, total, inodes, inodesUsed }) => <li class="layer"><h4>{name}</h4><div>{children}</div>
  <Bar used={used} total={total} label={`${name}, bytes`} /><Bar used={inodesUsed} total={inodes} inodes label={`${name}, inodes`} /></li>;

function Layers({ glass }) {
  if (!glass?.volume && !glass?.disk) return null;
  const { file, disk, pods = [] } = glass;
  return <section class="glass"><h3>Glass disk</h3>
    {pods.map((p) => <ol class="layers">
      {(p.containers || []).map((c) => <Layer name="Path in the pod"><code>{c.path}</code> in {p.name}/{c.name} on {p.node}</Layer>)}
      {p.mount && <Layer name="Mount"><code>{p.mount.path}</code><small>{p.mount.options}</small></Layer>}
      {p.filesystem && <Layer name={`Filesystem, ${p.mount?.fstype || "?"}`} used={p.filesystem.used} total={p.filesystem.bytes} inodes={p.filesystem.inodes} inodesUsed={p.filesystem.inodesUsed}>
        {bytes(p.filesystem.used)} of {bytes(p.filesystem.bytes)} used, {p.filesystem.inodesUsed} of {p.filesystem.inodes} inodes</Layer>}
      {p.device && <Layer name="Loop device"><code>{p.device.loop || p.device.name}</code>{p.device.loop && p.device.name !== p.device.loop ? ` as ${p.device.name}` : ""}, {bytes(p.device.bytes)}</Layer>}
    </ol>)}
    <ol class="layers">
      {file && <Layer name="Backing file" used={file.used} total={file.bytes}><code>{file.path}</code>{bytes(file.used)} written of {bytes(file.bytes)}</Layer>}
      {disk && <Layer name="Disk">{disk.VolumeId}, {disk.Size} GiB {disk.VolumeType} in {disk.AvailabilityZone}, {disk.State}</Layer>}
    </ol>
    {pods.length === 0 && <p>No pod has it mounted.</p>}
  </section>;
}

export function Glass({ card, close }) {
  const [told, setTold] = useState(null), [glass, setGlass] = useState(null), [error, setError] = useState(null);
  const ns = card.object?.metadata.namespace || "default";
  useEvery(1500, async () => {
    try {
      setTold(WHY[card.column] ? await console_("why", { kind: WHY[card.column], namespace: ns, name: card.name }) : null);
      const what = card.column === "claim" ? `pvc/${card.name}` : card.column === "volume" ? `pv/${card.name}` : card.disk ? card.id : null;
      setGlass(what ? await console_("disk-show", { what, namespace: ns }).catch(() => null) : null);
      setError(null);
    } catch (e) { setError(e); }
  }, [card.key]);
  const kind = KIND[card.column];
  return <aside class="panel" aria-label={`${card.column} ${card.name}`}>
    <header><h2>{card.name}</h2><button class="plain" aria-label="Close" onClick={close}>✕</button></header>
    <p>{card.state && <State word={card.state} />} {card.detail}</p>
    <p class="links">{kind && <Link to={objectLink(kind, card.object.metadata.namespace, card.name)}>Object and YAML</Link>}
      {card.column === "claim" && <Link to={`timeline?of=${card.id}`}>Its life</Link>}
      {card.column === "pod" && <Link to={`terminals?pod=${card.id}`}>Terminal</Link>}
      {card.column === "node" && <Link to={`terminals?node=${card.name}`}>Terminal</Link>}
      {card.column === "disk" && card.disk && <Link to="disks">Disks</Link>}</p>
    <Failure error={error} />
    <Why told={told} />
    <Layers glass={glass} />
  </aside>;
}
