// map.jsx - the first page: class -> claim -> volume -> disk -> node -> pod, as they are now.
//
// Columns of cards at fixed heights, so where each one stands is known without asking the browser; only those in sight are
// drawn (a thousand claims are a list of numbers until one scrolls to them), and only arrows that begin or end there.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { get } from "../api.js";
import { Bar, State, tone, useEvery, useWatch } from "../bits.jsx";
import { navigate } from "../route.jsx";
import { Glass } from "./glass.jsx";
import { edgesOf, model, place } from "./map_model.js";
import { pages } from "./disks.jsx";

const CARD = 58, GAP = 10, STEP = CARD + GAP, TOP = 8;
const COLUMNS = [["class", "StorageClass"], ["claim", "Claim"], ["volume", "Volume"], ["disk", "Disk"], ["node", "Node"], ["pod", "Pod"]];

// What the kubelets measured, a few nodes at a time.
async function usageOf(nodes) {
  const usage = { claims: new Map(), nodes: new Map() };
  await Promise.all(nodes.slice(0, 30).map(async (name) => {
    const s = await get(`/api/v1/nodes/${name}/proxy/stats/summary`).catch(() => null);
    if (!s) return;
    usage.nodes.set(name, { nodefs: s.node?.fs, imagefs: s.node?.runtime?.imageFs });
    for (const pod of s.pods || []) for (const v of pod.volume || [])
      if (v.pvcRef) usage.claims.set(`${v.pvcRef.namespace}/${v.pvcRef.name}`, v);
  }));
  return usage;
}

function Fill({ card, usage }) {
  if (card.column === "claim") {
    const u = usage.claims.get(card.id);
    return u ? <><Bar used={u.usedBytes} total={u.capacityBytes} label={`${card.name}, bytes`} /><Bar used={u.inodesUsed} total={u.inodes} inodes label={`${card.name}, inodes`} /></> : null;
  }
  if (card.column === "disk" && card.disk) return <Bar used={card.disk.UsedBytes} total={card.disk.Size * 2 ** 30} label={`${card.name}, written`} />;
  if (card.column === "node") {
    const u = usage.nodes.get(card.name);
    return u ? <><Bar used={u.nodefs?.usedBytes} total={u.nodefs?.capacityBytes} label="nodefs" /><Bar used={u.imagefs?.usedBytes} total={u.imagefs?.capacityBytes} label="imagefs" /></> : null;
  }
  return null;
}

function Card({ card, x, y, width, usage, selected, lit, select }) {
  return <button class={`card ${card.column} ${tone(card.state)}${selected ? " selected" : ""}${lit === false ? " dim" : ""}`} style={{ left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${CARD}px` }}
    onClick={() => select(card)} aria-pressed={selected} title={card.title || card.name}>
    <span class="name">{card.name}</span>
    <span class="facts">{card.state && <State word={card.state} />} {card.detail}</span>
    <Fill card={card} usage={usage} />
  </button>;
}

function arrow(from, to, width, at) {
  const x1 = at(from.index) + width, y1 = TOP + from.row * STEP + CARD / 2, x2 = at(to.index), y2 = TOP + to.row * STEP + CARD / 2, bend = (x2 - x1) / 2;
  return `M${x1},${y1}C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2 - 4},${y2}`;
}

function useSize(ref) {
  const [size, setSize] = useState({ width: 1000, height: 600 });
  useLayoutEffect(() => {
    const watcher = new ResizeObserver(([entry]) => setSize({ width: entry.contentRect.width, height: entry.contentRect.height }));
    watcher.observe(ref.current);
    return () => watcher.disconnect();
  }, []);
  return size;
}

// The cards that hang together with one: what it leads to, and what leads to it.
function linked(card, edges) {
  if (!card) return null;
  const found = new Set([card.key]);
  for (const ahead of [true, false])
    for (let grown = true, edge = new Set([card.key]); grown;) {
      grown = false;
      for (const e of edges) {
        const [a, b] = ahead ? [e.from, e.to] : [e.to, e.from];
        if (edge.has(a.key) && !edge.has(b.key)) { edge.add(b.key); found.add(b.key); grown = true; }
      }
    }
  return found;
}

// base: the view whose address says what is selected. small: beside something else.
export function StorageMap({ route, base = "", small = false }) {
  const classes = useWatch("/apis/storage.k8s.io/v1/storageclasses").items, claims = useWatch("/api/v1/persistentvolumeclaims").items;
  const volumes = useWatch("/api/v1/persistentvolumes").items, nodes = useWatch("/api/v1/nodes").items, pods = useWatch("/api/v1/pods");
  const [disks, setDisks] = useState([]), [usage, setUsage] = useState({ claims: new Map(), nodes: new Map() });
  const [filter, setFilter] = useState(""), [all, setAll] = useState(false), [scroll, setScroll] = useState(0);
  const box = useRef(), size = useSize(box);
  const selectedKey = route.query.get("see");
  const loadDisks = () => pages("disk-list").then(setDisks, () => setDisks([]));
  useEffect(() => { loadDisks(); }, [volumes]);
  useEvery(2500, async () => { setUsage(await usageOf([...nodes.values()].map((n) => n.metadata.name))); await loadDisks(); }, [nodes.size]);

  const cards = useMemo(() => place(model({ classes, claims, volumes, nodes, pods: pods.items, disks, filter, all })), [classes, claims, volumes, nodes, pods.items, disks, filter, all]);
  const edges = useMemo(() => edgesOf(cards), [cards]);
  const selected = cards.byKey.get(selectedKey), lit = useMemo(() => linked(selected, edges), [selected, edges]);
  const rows = Math.max(1, ...COLUMNS.map(([c]) => cards.columns[c].length));
  const width = Math.max(96, Math.min(230, size.width / 6 - (size.width > 900 ? 46 : 26))), stride = Math.max(width + 22, (size.width - width - 16) / 5), at = (i) => 8 + i * stride;
  const first = Math.floor((scroll - TOP) / STEP) - 4, last = Math.ceil((scroll + size.height) / STEP) + 4, inSight = (c) => c.row >= first && c.row <= last;
  const select = (card) => navigate(card.key === selectedKey ? base : `${base}?see=${encodeURIComponent(card.key)}`, { replace: true });
  const shownEdges = edges.filter((e) => inSight(e.from) || inSight(e.to));
  return <div class={small ? "map-page small" : "map-page"}>
    {!small && <header class="head"><h1>Storage</h1><input type="search" placeholder="Search" aria-label="Search" value={filter} onInput={(e) => setFilter(e.target.value)} />
      <label class="tick"><input type="checkbox" checked={all} onChange={(e) => setAll(e.target.checked)} /> pods without volumes, too</label></header>}
    <div class="map-and-side">
      <div class="map" ref={box} onScroll={(e) => setScroll(e.currentTarget.scrollTop)}>
        <div class="columns" aria-hidden="true">{COLUMNS.map(([, title], i) => <span style={{ left: `${at(i)}px`, width: `${width}px` }}>{title}</span>)}</div>
        <div class="canvas" style={{ height: `${TOP + rows * STEP}px`, width: `${at(5) + width + 8}px` }}>
          <svg width={at(5) + width} height={TOP + rows * STEP} aria-hidden="true">
            <defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0L8,4L0,8z" /></marker></defs>
            {shownEdges.map((e) => <path key={e.key} class={`edge ${e.kind}${lit && !(lit.has(e.from.key) && lit.has(e.to.key)) ? " dim" : ""}`} d={arrow(e.from, e.to, width, at)} marker-end="url(#tip)" />)}
          </svg>
          {COLUMNS.map(([c, title], i) => <section aria-label={title} key={c}>{cards.columns[c].filter(inSight).map((card) =>
            <Card key={card.key} card={card} x={at(i)} y={TOP + card.row * STEP} width={width} usage={usage} selected={card.key === selectedKey} lit={lit ? lit.has(card.key) : undefined} select={select} />)}</section>)}
        </div>
        {pods.ready && claims.size === 0 && volumes.size === 0 && <p class="empty">No claim and no volume yet. Make one: <code>kubectl apply -f claim.yaml</code>, or <a href="/console/resources/persistentvolumeclaims">create one here</a>; it appears at once.</p>}
      </div>
      {selected && <Glass card={selected} close={() => navigate(base, { replace: true })} />}
    </div>
  </div>;
}
