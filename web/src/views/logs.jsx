// logs.jsx - a container's log, followed.
import { useEffect, useRef, useState } from "preact/hooks";

const MOST = 5000;

export function Logs({ ns, pod, container }) {
  const [lines, setLines] = useState([]), [ended, setEnded] = useState(""), [filter, setFilter] = useState(""), [turn, setTurn] = useState(0), box = useRef();
  useEffect(() => {
    const control = new AbortController();
    let all = [], frame = 0;
    const show = () => { frame ||= requestAnimationFrame(() => { frame = 0; setLines(all.slice()); }); };
    (async () => {
      const answer = await fetch(`/api/v1/namespaces/${ns}/pods/${pod}/log?container=${container}&follow=true&tailLines=1000`, { signal: control.signal, credentials: "same-origin" });
      if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).message || `the server answered ${answer.status}`);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ;) {
        const { value, done } = await reader.read();
        if (done) break;
        const parts = (rest + value).split("\n");
        rest = parts.pop();
        all = all.concat(parts).slice(-MOST);
        show();
      }
      setEnded("The log ended.");
    })().catch((e) => control.signal.aborted || setEnded(e.message));
    return () => { control.abort(); cancelAnimationFrame(frame); };
  }, [turn]);
  useEffect(() => { const b = box.current; if (b.scrollHeight - b.scrollTop - b.clientHeight < 200) b.scrollTop = b.scrollHeight; }, [lines]);
  return <><input type="search" placeholder="Lines with" aria-label="Lines with" value={filter} onInput={(e) => setFilter(e.target.value)} />
    <pre class="log" ref={box} tabindex="0" role="log">{lines.filter((l) => l.includes(filter)).join("\n")}</pre>
    {ended && <p class="ended" role="status">{ended} <button onClick={() => { setEnded(""); setTurn(turn + 1); }}>Again</button></p>}</>;
}
