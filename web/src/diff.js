// diff.js - what changed between two versions of an object, field by field.
const QUIET = /^metadata\.(managedFields|resourceVersion|generation)|^status\.conditions\[\d+\]\.last(Heartbeat|Probe)Time/;
const word = (v) => v === undefined ? "" : typeof v === "string" ? v : JSON.stringify(v);

// [{path, before, after}]. below: only what begins with one of these is compared, or, starting with "status.", left out.
export function differences(before, after, leftOut = []) {
  const found = [];
  const quiet = (path) => QUIET.test(path) || leftOut.some((p) => path.startsWith(p));
  const walk = (a, b, path) => {
    if (a === b || quiet(path)) return;
    const deep = a && b && typeof a === "object" && typeof b === "object" && Array.isArray(a) === Array.isArray(b);
    if (!deep) {
      if (word(a) !== word(b)) found.push({ path, before: word(a), after: word(b) });
    } else if (Array.isArray(a)) {
      for (let i = 0; i < Math.max(a.length, b.length); i++) walk(a[i], b[i], `${path}[${i}]`);
    } else {
      for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) walk(a[key], b[key], path ? `${path}.${key}` : key);
    }
  };
  walk(before ?? {}, after ?? {}, "");
  return found;
}
