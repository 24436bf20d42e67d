// files.jsx - files of a container, as `kubectl cp` reaches them: list, view, upload, download.
import { useEffect, useState } from "preact/hooks";
import { exec } from "../api.js";
import { Failure } from "../bits.jsx";
import { bytes } from "../quantity.js";

const LIST = 'cd "$1" 2>/dev/null || { echo "no such folder: $1" >&2; exit 1; }; for f in * .[!.]*; do [ -e "$f" ] || [ -L "$f" ] || continue; if [ -d "$f" ]; then t=d; else t=f; fi; stat -c "$t %s %Y %n" "$f"; done';
const VIEW_MOST = 256 * 1024;

export function Files({ ns, pod, container, mounts = [] }) {
  const [dir, setDir] = useState(mounts.find((m) => !m.startsWith("/var/run/secrets")) || "/"), [list, setList] = useState([]), [error, setError] = useState(null), [seen, setSeen] = useState(null), [turn, setTurn] = useState(0);
  const run = async (argv, input) => {
    const r = await exec(ns, pod, container, argv, input);
    if (r.code) throw new Error(r.err.trim() || `it ended with ${r.code}`);
    return r.out;
  };
  useEffect(() => {
    run(["sh", "-c", LIST, "sh", dir]).then((out) => {
      setList(new TextDecoder().decode(out).split("\n").filter(Boolean).map((line) => { const [, type, size, time, name] = /^(\w) (\d+) (\d+) (.*)$/.exec(line) || []; return { type, size: +size, time: +time, name }; }).filter((f) => f.name)
        .sort((a, b) => a.type.localeCompare(b.type) || a.name.localeCompare(b.name)));
      setError(null);
    }, setError);
  }, [dir, turn]);
  const path = (name) => `${dir === "/" ? "" : dir}/${name}`;
  const guard = (work) => async (...args) => { try { await work(...args); setError(null); } catch (e) { setError(e); } };
  const view = guard(async (f) => setSeen({ name: f.name, text: new TextDecoder().decode(await run(["head", "-c", String(VIEW_MOST), path(f.name)])), cut: f.size > VIEW_MOST }));
  const download = guard(async (f) => {
    const url = URL.createObjectURL(new Blob([await run(["cat", path(f.name)])]));
    Object.assign(document.createElement("a"), { href: url, download: f.name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  });
  const upload = guard(async (e) => {
    for (const file of e.target.files) await run(["sh", "-c", 'cat >"$1"', "sh", path(file.name)], new Uint8Array(await file.arrayBuffer()));
    e.target.value = "";
    setTurn((t) => t + 1);
  });
  return <div class="files">
    <p><label>Folder <input value={dir} onChange={(e) => setDir(e.target.value || "/")} /></label> {mounts.map((m) => <button onClick={() => setDir(m)}>{m}</button>)} <label class="button">Upload<input type="file" multiple onChange={upload} /></label> <button onClick={() => setTurn(turn + 1)}>Again</button></p>
    <Failure error={error} />
    <table class="list"><tbody>{dir !== "/" && <tr><td><button class="plain" onClick={() => setDir(dir.replace(/\/[^/]*$/, "") || "/")}>..</button></td></tr>}{list.map((f) => <tr>
      <td>{f.type === "d" ? <button class="plain" onClick={() => setDir(path(f.name))}>{f.name}/</button> : <button class="plain" onClick={() => view(f)}>{f.name}</button>}</td>
      <td>{f.type === "d" ? "" : bytes(f.size)}</td><td>{new Date(f.time * 1000).toLocaleString()}</td><td>{f.type === "f" && <button onClick={() => download(f)}>Download</button>}</td></tr>)}</tbody></table>
    {seen && <section><h3>{seen.name}{seen.cut ? " (its beginning)" : ""} <button class="plain" aria-label="Close" onClick={() => setSeen(null)}>✕</button></h3><pre class="log" tabindex="0">{seen.text}</pre></section>}
  </div>;
}
