// yaml_lines.js - where in a text a field stands, so that what is wrong is said there.
// The line of "spec.resources.requests.storage" in YAML as we write it: the deepest part that is found.
export function lineOf(text, path) {
  const lines = text.split("\n");
  let at = 0, indent = -1, found = 0;
  for (const part of path.replace(/\[(\d+)\]/g, "").split(".")) {
    let i = at;
    for (; i < lines.length; i++) {
      const m = /^(\s*(?:- )*)([^\s:#]+):/.exec(lines[i]);
      if (m && m[2].replace(/["']/g, "") === part && m[1].length > indent) break;
    }
    if (i === lines.length) break;
    indent = /^\s*(?:- )*/.exec(lines[i])[0].length;
    found = i;
    at = i + 1;
  }
  return found;
}
// What is wrong, at its line: the parser's mark, or the fields the server names.
export function marksOf(text, error) {
  if (error.mark) return [{ line: error.mark.line, message: error.reason }];
  const causes = error.body?.details?.causes || [];
  return causes.map((c) => ({ line: lineOf(text, c.field || ""), message: `${c.field}: ${c.message}` })).concat(causes.length ? [] : [{ line: 0, message: error.message }]);
}
