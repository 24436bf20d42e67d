// route.jsx - where one is, as the address says it: /console/VIEW/PART/PART?query. Every view can be linked to, and the
// back button works.
import { useEffect, useState } from "preact/hooks";

const ROOT = "/console/";

export function parse() {
  const [at = "", ...parts] = location.pathname.slice(ROOT.length).split("/").map(decodeURIComponent);
  return { at, parts, query: new URLSearchParams(location.search) };
}
export const href = (to) => ROOT + to;
export function navigate(to, { replace = false } = {}) {
  if (href(to) === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", href(to));
  dispatchEvent(new Event("routed"));
}
export function useRoute() {
  const [route, setRoute] = useState(parse);
  useEffect(() => {
    const onMove = () => setRoute(parse());
    addEventListener("popstate", onMove);
    addEventListener("routed", onMove);
    return () => { removeEventListener("popstate", onMove); removeEventListener("routed", onMove); };
  }, []);
  return route;
}
export function Link({ to, children, ...rest }) {
  const go = (e) => {
    if (e.button || e.ctrlKey || e.metaKey || e.shiftKey) return;
    e.preventDefault();
    navigate(to);
  };
  return <a href={href(to)} onClick={go} {...rest}>{children}</a>;
}
export const objectLink = (k, ns, name) => `object/${k.plural}${k.group ? "." + k.group : ""}/${ns || "_"}/${encodeURIComponent(name)}`;
