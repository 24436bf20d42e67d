// help.jsx - what the keys do.
import { useEffect, useRef } from "preact/hooks";

export function Help({ close, views }) {
  const box = useRef();
  useEffect(() => box.current.focus(), []);
  return <div class="veil" onClick={close}>
    <section class="dialog" role="dialog" aria-modal="true" aria-labelledby="help-title" tabindex="-1" ref={box}
      onClick={(e) => e.stopPropagation()} onKeyDown={(e) => e.key === "Escape" && close()}>
      <h2 id="help-title">Keys</h2>
      <dl class="keys">
        <dt><kbd>/</kbd></dt><dd>search in this view</dd>
        {views.filter((v) => v.key).map((v) => [<dt><kbd>g</kbd> <kbd>{v.key}</kbd></dt>, <dd>{v.title}</dd>])}
        <dt><kbd>?</kbd></dt><dd>this list</dd>
        <dt><kbd>Esc</kbd></dt><dd>close</dd>
      </dl>
      <p>Everything here can be done with <code>kubectl</code> and <code>stowage</code>, too.{" "}
        <a href="/console/licenses.txt">Licences of what this page is made of</a></p>
      <button onClick={close}>Close</button>
    </section>
  </div>;
}
