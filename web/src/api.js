// api.js - the Kubernetes API as the console uses it: calls, watches that heal by themselves, streams.
//
// Every failure is an ApiError with the server's own words. A watch lists, follows, and after any loss lists again; who
// listens is told the state of the line ("live", "lost") so that no view is ever silently old.

export class ApiError extends Error {
  constructor(status, body) {
    super(body?.message || (status === 0 ? "the cluster does not answer" : `the server answered ${status}`));
    this.status = status;
    this.body = body;
  }
}

const line = { state: "live", farewell: "", listeners: new Set() };
export const onLine = (listener) => (line.listeners.add(listener), listener(line.state), () => line.listeners.delete(listener));
function tell(state) {
  if (line.state === state || line.farewell) return;
  line.state = state;
  for (const listener of line.listeners) listener(state);
}
// This page's cluster is about to end, as was wished: from now on that is what is said, not that it is lost.
export function leave(text) {
  tell("left");
  line.farewell = text;
}
export const farewell = () => line.farewell;

export async function call(method, path, { body, type, accept, raw } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method, credentials: "same-origin", headers: { Accept: accept || "application/json", ...(body !== undefined ? { "Content-Type": type || "application/json" } : {}) },
      body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
    });
  } catch {
    tell("lost");
    throw new ApiError(0);
  }
  tell(answer.status === 401 || answer.status === 403 && await anonymous(answer) ? "signed-out" : "live");
  const text = await answer.text();
  let parsed = text;
  if (!raw || !answer.ok) try { parsed = JSON.parse(text); } catch { /* not JSON: its text */ }
  if (!answer.ok) throw new ApiError(answer.status, typeof parsed === "string" ? { message: parsed.trim() } : parsed);
  return parsed;
}
const anonymous = async (answer) => /User \\?"system:anonymous/.test(await answer.clone().text());

export const get = (path, options) => call("GET", path, options);
export const console_ = (op, body = {}) => call("POST", `/console/api/${op}`, { body });

// -- watches --

const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
// "/api/v1/pods?x" and a pod -> "/api/v1/namespaces/ns/pods/name"
export function memberPath(path, { metadata: { namespace, name } }) {
  const [, root, plural] = /^(.*?)(?:\/namespaces\/[^/]+)?\/([^/?]+)(?:\?.*)?$/.exec(path);
  return `${root}${namespace ? `/namespaces/${namespace}` : ""}/${plural}/${encodeURIComponent(name)}`;
}
const keyOf = (o) => `${o.metadata.namespace || ""}/${o.metadata.name}`;

// Follows a collection until stop() is called. onChange(map of key -> object, info) is told at most once a frame. tables:
// rows as the server prints them, {cells, object}, and info.columns.
export function watch(path, onChange, { tables = false, onChangeOf } = {}) {
  const items = new Map(), control = { onstop() {} };
  let columns = null, pending = false, stopped = false;
  const changed = () => {
    if (pending || stopped) return;
    pending = true;
    requestAnimationFrame(() => { pending = false; if (!stopped) onChange(items, { columns }); });
  };
  const put = (type, row) => {
    const object = tables ? row.object : row, key = keyOf(object);
    onChangeOf?.(type, object, items.get(key));
    if (type === "DELETED") items.delete(key); else items.set(key, row);
  };
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  async function list() {
    const l = await get(path, { accept: tables ? TABLE : undefined });
    items.clear();
    if (tables) {
      columns = l.columnDefinitions;
      for (const row of l.rows || []) items.set(keyOf(row.object), row);
    } else for (const o of l.items || []) items.set(keyOf(o), o);
    changed();
    return l.metadata.resourceVersion;
  }
  // By WebSocket: a browser has but six ordinary connections to a server, and views watch more than that.
  function follow(from) {
    const query = new URLSearchParams({ watch: "true", allowWatchBookmarks: "true", resourceVersion: from });
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}${path}${path.includes("?") ? "&" : "?"}${query}`);
    control.onstop = () => socket.close();
    return new Promise((done, fail) => {
      let opened = false;
      socket.onopen = () => { opened = true; tell("live"); };
      socket.onclose = () => opened ? done() : fail(new ApiError(0));
      socket.onmessage = ({ data }) => {
        const { type, object } = JSON.parse(data);
        if (type === "ERROR") return socket.close();
        if (type === "BOOKMARK") return;
        if (tables && type !== "DELETED") return ask(object);
        put(type, tables ? { object } : object);
        changed();
      };
    });
  }
  // The server's row of what changed: a WebSocket cannot ask for tables. Many at once are a list.
  let asked = new Map();
  function ask(object) {
    if (!asked.size) setTimeout(answer, 30);
    asked.set(keyOf(object), object);
  }
  async function answer() {
    const wanted = asked;
    asked = new Map();
    if (stopped) return;
    if (wanted.size > 20) return void list().catch(() => {});
    await Promise.all([...wanted.values()].map(async (object) => {
      const l = await get(memberPath(path, object), { accept: TABLE }).catch(() => null);
      if (l?.rows?.[0]) put("MODIFIED", l.rows[0]);
    }));
    changed();
  }
  (async () => {
    for (let pause = 200; !stopped; ) {
      try {
        await follow(await list());
        pause = 200;
      } catch (e) {
        if (stopped) return;
        if (e.status && e.status < 500) { onChange(items, { columns, error: e }); pause = 3000; } else tell("lost");
        await wait(pause);
        pause = Math.min(pause * 2, 3000);
      }
    }
  })();
  return () => { stopped = true; control.onstop(); };
}

// -- kinds --

let kindsCache = null;
// Every kind that can be listed: {group, version, kind, plural, short, namespaced, verbs, path}.
export async function kinds() {
  if (kindsCache) return kindsCache;
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
  const [core, groups] = await Promise.all([get("/api", { accept }), get("/apis", { accept })]);
  const found = [];
  for (const group of [...core.items, ...groups.items]) {
    const name = group.metadata?.name || "";
    const version = group.versions[0];
    for (const r of version.resources || []) {
      if (!r.verbs.includes("list")) continue;
      const root = name ? `/apis/${name}/${version.version}` : `/api/${version.version}`;
      found.push({ group: name, version: version.version, kind: r.responseKind.kind, plural: r.resource,
        shorts: r.shortNames || [], namespaced: r.scope === "Namespaced", verbs: r.verbs, root });
    }
  }
  return (kindsCache = found);
}
export const collection = (k, ns) => k.namespaced && ns ? `${k.root}/namespaces/${ns}/${k.plural}` : `${k.root}/${k.plural}`;
export const objectPath = (k, ns, name) => `${collection(k, ns)}/${name}`;
export const kindOf = async (apiVersion, kind) => (await kinds()).find((k) => k.kind === kind &&
  apiVersion === (k.group ? `${k.group}/${k.version}` : k.version));

// -- streams: exec in a pod, a shell on a node --

const encoder = new TextEncoder();
// handlers: open(), output(bytes, channel), end(status). Returns {send, resize, close}.
export function stream(path, handlers) {
  const socket = new WebSocket(location.origin.replace(/^http/, "ws") + path, "v5.channel.k8s.io");
  let status = null;
  socket.binaryType = "arraybuffer";
  const send = (channel, bytes) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    const framed = new Uint8Array(bytes.length + 1);
    framed[0] = channel;
    framed.set(bytes, 1);
    socket.send(framed);
  };
  socket.onopen = () => handlers.open?.();
  socket.onmessage = ({ data }) => {
    const bytes = new Uint8Array(data);
    if (bytes.length === 0) return;
    if (bytes[0] === 3) status = JSON.parse(new TextDecoder().decode(bytes.subarray(1)));
    else handlers.output?.(bytes.subarray(1), bytes[0]);
  };
  socket.onclose = () => handlers.end?.(status || { status: "Failure", message: "the connection ended" });
  return {
    send: (data) => send(0, typeof data === "string" ? encoder.encode(data) : data),
    end: () => send(255, Uint8Array.of(0)),
    resize: (cols, rows) => send(4, encoder.encode(JSON.stringify({ Width: cols, Height: rows }))),
    close: () => socket.close(),
    get buffered() { return socket.bufferedAmount; },
  };
}
export function execPath(ns, pod, container, argv, { tty = false, stdin = false } = {}) {
  const q = new URLSearchParams({ stdout: "true", stderr: String(!tty), stdin: String(stdin), tty: String(tty) });
  if (container) q.set("container", container);
  for (const word of argv) q.append("command", word);
  return `/api/v1/namespaces/${ns}/pods/${pod}/exec?${q}`;
}
// Runs to its end: {code, out (bytes), err (text)}. input: bytes, or nothing.
export function exec(ns, pod, container, argv, input) {
  return new Promise((done, fail) => {
    const out = [];
    let err = "";
    const s = stream(execPath(ns, pod, container, argv, { stdin: !!input }), {
      open: async () => {
        const PIECE = 256 * 1024;
        for (let at = 0; input && at < input.length; at += PIECE) {
          s.send(input.subarray(at, at + PIECE));
          while (s.buffered > 4 * PIECE) await new Promise((r) => setTimeout(r, 5));
        }
        if (input) s.end();
      },
      output: (bytes, channel) => channel === 1 ? out.push(bytes.slice()) : (err += new TextDecoder().decode(bytes)),
      end: (status) => {
        const cause = status.details?.causes?.find((c) => c.reason === "ExitCode");
        if (status.status !== "Success" && !cause) return fail(new ApiError(0, { message: status.message }));
        const whole = new Uint8Array(out.reduce((n, b) => n + b.length, 0));
        out.reduce((at, b) => (whole.set(b, at), at + b.length), 0);
        done({ code: cause ? +cause.message : 0, out: whole, err });
      },
    });
  });
}
