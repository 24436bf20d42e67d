// editor.jsx - the YAML editor: CodeMirror, loaded when somebody first edits.
import { yaml } from "@codemirror/lang-yaml";
import { setDiagnostics, lintGutter } from "@codemirror/lint";
import { EditorView, basicSetup } from "codemirror";
import { useEffect, useRef } from "preact/hooks";

export default function Editor({ value, marks, onChange, label }) {
  const box = useRef(), view = useRef();
  useEffect(() => {
    view.current = new EditorView({ doc: value, parent: box.current, extensions: [basicSetup, yaml(), lintGutter(), EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": label }), EditorView.updateListener.of((u) => u.docChanged && onChange(u.state.doc.toString()))] });
    view.current.focus();
    return () => view.current.destroy();
  }, []);
  useEffect(() => {
    const doc = view.current.state.doc;
    view.current.dispatch(setDiagnostics(view.current.state, marks.map(({ line, message }) => {
      const l = doc.line(Math.min(line + 1, doc.lines));
      return { from: l.from, to: l.to, severity: "error", message };
    })));
  }, [marks]);
  return <div class="editor" ref={box} />;
}
