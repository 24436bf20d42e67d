// map_model.js - from objects to cards and arrows. No page in here: it is tested by itself.
const COLUMNS = ["class", "claim", "volume", "disk", "node", "pod"];
const annotation = (o, name) => o.metadata.annotations?.[name];
const ready = (o) => o.status?.conditions?.find((c) => c.type === "Ready")?.status === "True";
const deleting = (o, word) => o.metadata.deletionTimestamp ? "Terminating" : word;
const idOf = (o) => o.metadata.namespace ? `${o.metadata.namespace}/${o.metadata.name}` : o.metadata.name;

// What a container waits for says more than its pod's phase.
export function podState(pod) {
  const statuses = [...(pod.status?.initContainerStatuses || []), ...(pod.status?.containerStatuses || [])];
  const waiting = statuses.map((s) => s.state?.waiting?.reason).find((r) => r && r !== "PodInitializing");
  return deleting(pod, waiting || pod.status?.reason || pod.status?.phase || "Unknown");
}
export const claimsOf = (pod) => (pod.spec.volumes || []).map((v) => v.persistentVolumeClaim?.claimName || (v.ephemeral && `${pod.metadata.name}-${v.name}`))
  .filter(Boolean).map((name) => `${pod.metadata.namespace}/${name}`);

// Where the bytes are when no cloud keeps them.
const OTHER = ["hostPath", "local", "nfs"];
export function placeOf(pv) {
  const spec = pv.spec, cloud = spec.csi?.volumeHandle || spec.awsElasticBlockStore?.volumeID || spec.gcePersistentDisk?.pdName || spec.azureDisk?.diskURI;
  if (cloud) return { id: cloud.replace(/^aws:\/\/[^/]*\//, ""), word: spec.csi?.driver || "in-tree" };
  const kind = OTHER.find((k) => spec[k]);
  return kind ? { id: `${kind} ${spec[kind].path}`, word: kind } : null;
}

const card = (column, object, facts) => ({ column, id: idOf(object), key: `${column}:${idOf(object)}`, name: object.metadata.name, object, ...facts });

export function model({ classes, claims, volumes, nodes, pods, disks, filter, all }) {
  const found = Object.fromEntries(COLUMNS.map((c) => [c, []]));
  for (const o of classes.values())
    found.class.push(card("class", o, { detail: `${annotation(o, "storageclass.kubernetes.io/is-default-class") === "true" ? "default · " : ""}${o.reclaimPolicy || "Delete"}`, title: o.provisioner }));
  for (const o of claims.values())
    found.claim.push(card("claim", o, { state: deleting(o, o.status?.phase || "Pending"), detail: o.status?.capacity?.storage || o.spec.resources?.requests?.storage, title: idOf(o) }));
  const byId = new Map();
  for (const d of disks) {
    const c = { column: "disk", id: d.VolumeId, key: `disk:${d.VolumeId}`, name: d.VolumeId, disk: d, state: d.State, detail: `${d.Size} GiB · ${d.AvailabilityZone}` };
    byId.set(d.VolumeId, c);
    found.disk.push(c);
  }
  for (const o of volumes.values()) {
    const at = placeOf(o);
    found.volume.push(card("volume", o, { state: deleting(o, o.status?.phase || "Pending"), detail: `${o.spec.capacity?.storage || ""} · ${o.spec.persistentVolumeReclaimPolicy}`, place: at?.id }));
    if (at && !byId.has(at.id)) {
      const c = { column: "disk", id: at.id, key: `disk:${at.id}`, name: at.id, detail: at.word };
      byId.set(at.id, c);
      found.disk.push(c);
    }
  }
  for (const o of nodes.values())
    found.node.push(card("node", o, { state: ready(o) ? "Ready" : "NotReady", detail: o.metadata.labels?.["topology.kubernetes.io/zone"] || "" }));
  for (const o of pods.values())
    if (all || claimsOf(o).length) found.pod.push(card("pod", o, { state: podState(o), detail: o.metadata.namespace }));
  const word = (filter || "").toLowerCase();
  if (word) for (const c of COLUMNS) found[c] = found[c].filter((x) => x.id.toLowerCase().includes(word) || (x.state || "").toLowerCase().includes(word));
  return found;
}

// Each column follows the one before it, so that most arrows run straight.
const follows = {
  claim: (c, rank) => rank(`class:${c.object.spec.storageClassName}`),
  volume: (c, rank) => rank(`claim:${c.object.spec.claimRef ? `${c.object.spec.claimRef.namespace}/${c.object.spec.claimRef.name}` : ""}`),
  disk: (c, rank, places) => rank(places.get(c.id)),
  pod: (c, rank) => Math.min(...claimsOf(c.object).map((id) => rank(`claim:${id}`)), Infinity),
};
export function place(columns) {
  const byKey = new Map(), places = new Map();
  const rank = (key) => byKey.get(key)?.row ?? Infinity;
  COLUMNS.forEach((name, index) => {
    const order = follows[name], list = columns[name];
    const by = new Map(list.map((c) => [c, order ? order(c, rank, places) : 0]));
    list.sort((a, b) => by.get(a) - by.get(b) || (a.id < b.id ? -1 : 1) || 0);
    list.forEach((c, row) => { c.row = row; c.index = index; byKey.set(c.key, c); if (c.place) places.set(c.place, c.key); });
  });
  return { columns, byKey };
}

export function edgesOf({ columns, byKey }) {
  const found = [];
  const join = (from, to, kind) => from && to && found.push({ from, to, kind, key: `${from.key}>${to.key}` });
  for (const c of columns.claim) {
    join(byKey.get(`class:${c.object.spec.storageClassName}`), c, "class");
    join(c, byKey.get(`volume:${c.object.spec.volumeName}`), c.state === "Bound" ? "bound" : "asked");
  }
  for (const v of columns.volume) join(v, byKey.get(`disk:${v.place}`), "bytes");
  for (const d of columns.disk) for (const a of d.disk?.Attachments || []) join(d, byKey.get(`node:${a.Node}`), "attached");
  for (const p of columns.pod) join(byKey.get(`node:${p.object.spec.nodeName}`), p, claimsOf(p.object).length ? "mounted" : "runs");
  return found;
}
