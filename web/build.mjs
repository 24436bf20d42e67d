// build.mjs OUT: bundles web/src and writes the one file that the server embeds (src/apiserver/console/assets.c):
// a line "name<TAB>type<TAB>bytes" for each file, an empty line, then their bytes, compressed.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const types = { ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
  ".html": "text/html; charset=utf-8", ".txt": "text/plain; charset=utf-8" };

const out = process.argv[2] ?? join(here, "../build/console.pack");

// Libraries of an older package-lock.json are as good as none.
const missing = Object.keys(JSON.parse(readFileSync(join(here, "package.json"))).dependencies).filter((name) => !existsSync(join(here, "node_modules", name)));
if (missing.length) {
  console.warn(`console: left out, since web/node_modules lacks ${missing.join(", ")} (npm ci in web/)`);
  writeFileSync(out, "");
  process.exit(0);
}

const made = await build({
  entryPoints: { app: join(here, "src/main.jsx") },
  bundle: true, minify: true, splitting: true, format: "esm", target: "es2020", metafile: true, write: false,
  outdir: "assets", entryNames: "[name]-[hash]", chunkNames: "[name]-[hash]", charset: "utf8",
  jsx: "automatic", jsxImportSource: "preact", absWorkingDir: here, legalComments: "none",
});

const files = new Map();
for (const f of made.outputFiles) files.set("assets/" + f.path.split("/assets/").pop(), Buffer.from(f.contents));

// Every package that has a byte in it, with its licence.
const packages = new Set(Object.values(made.metafile.outputs).flatMap((o) => Object.entries(o.inputs))
  .filter(([name, use]) => name.startsWith("node_modules/") && use.bytesInOutput > 0)
  .map(([name]) => name.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)/)[1]));
const licences = [...packages].sort().map((name) => {
  const dir = join(here, "node_modules", name);
  const about = JSON.parse(readFileSync(join(dir, "package.json")));
  const text = readdirSync(dir).find((f) => /^licen[cs]e/i.test(f));
  return `${about.name} ${about.version} (${about.license})\n\n${text ? readFileSync(join(dir, text), "utf8") : ""}\n`;
});
files.set("licenses.txt", Buffer.from(licences.join("\n" + "-".repeat(78) + "\n\n")));

const icon = readFileSync(join(here, "src/icon.svg"));
const iconName = `assets/icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8)}.svg`;
files.set(iconName, icon);
const named = (pattern) => [...files.keys()].find((f) => pattern.test(f));
// What the first script imports is asked for together with it, not when it has been read.
const entry = Object.values(made.metafile.outputs).find((o) => o.entryPoint === "src/main.jsx");
const ahead = entry.imports.filter((i) => i.kind === "import-statement").map((i) => `<link rel="modulepreload" href="/console/assets/${i.path.split("/").pop()}">`);
files.set("index.html", Buffer.from(readFileSync(join(here, "src/index.html"), "utf8")
  .replace("{{script}}", "/console/" + named(/^assets\/app-.*\.js$/))
  .replace("{{style}}", "/console/" + named(/^assets\/app-.*\.css$/))
  .replace("{{ahead}}", ahead.join("\n"))
  .replace("{{icon}}", "/console/" + iconName)));

const packed = [...files].map(([name, data]) => [name, types[extname(name)], gzipSync(data, { level: 9 })]);
const lines = packed.map(([name, type, data]) => `${name}\t${type}\t${data.length}\n`).join("");
writeFileSync(out, Buffer.concat([Buffer.from(lines + "\n"), ...packed.map(([, , data]) => data)]));
const total = packed.reduce((sum, [, , data]) => sum + data.length, 0);
console.log(`console: ${packed.length} files, ${Math.round(total / 1024)} KiB compressed`);
