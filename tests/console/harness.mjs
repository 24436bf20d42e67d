// harness.mjs - what the tests in a real browser share: a page, patience, pictures, and whether everybody can use it.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const { SOURCE_DIR, BROWSER_PROGRAM, PICTURES } = process.env;
const modules = createRequire(join(SOURCE_DIR, "web/package.json"));
const { chromium } = modules("playwright-core");
const axe = readFileSync(modules.resolve("axe-core/axe.min.js"), "utf8");

export const PATIENCE = +(process.env.PATIENCE || 180000);
export const say = (what) => console.log(`== ${what}`);
export const check = (what, ok) => { if (!ok) throw new Error(`not so: ${what}`); };

// {browser, page, faults, outside}: a window of 1280×720; what goes wrong in it, and what was asked of other machines.
export async function open() {
  const browser = await chromium.launch({ executablePath: BROWSER_PROGRAM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, acceptDownloads: true });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage(), faults = [], outside = [];
  page.on("pageerror", (e) => faults.push(e.message));
  page.on("console", (m) => /Content Security|Refused to/.test(m.text()) && faults.push(m.text()));
  page.on("request", (r) => { const host = new URL(r.url()).hostname; if (!["127.0.0.1", "localhost", ""].includes(host)) outside.push(r.url()); });
  return { browser, page, faults, outside };
}

export async function accessible(page, where) {
  if (!await page.evaluate(() => !!window.axe)) await page.evaluate(axe); // by the debugger: the page's policy forbids it in any other way
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa"] }));
  const serious = violations.filter((v) => v.impact === "serious" || v.impact === "critical")
    .map((v) => ({ id: v.id, nodes: v.nodes.filter((n) => !/xterm|cm-/.test(n.html)) })).filter((v) => v.nodes.length);
  check(`${where} can be used by everybody: ${serious.map((v) => `${v.id}: ${v.nodes[0].html}`).join("; ")}`, serious.length === 0);
}

export async function picture(page, name) {
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.screenshot({ path: join(PICTURES, `${name}-${scheme}.png`) });
  }
  await page.emulateMedia({ colorScheme: "light" });
}

// Runs the test; a picture of the page it failed on.
export async function run(test) {
  const at = await open();
  try {
    await test(at);
    check(`no fault on any page: ${at.faults.join("; ")}`, at.faults.length === 0);
    check(`nothing asked outside of this machine: ${at.outside.join(" ")}`, at.outside.length === 0);
  } catch (e) {
    await at.page.screenshot({ path: join(PICTURES, "failed.png") }).catch(() => {});
    console.log(`FAILED: ${e.message}\n${e.stack}\nfaults: ${at.faults.join("; ")}\nat ${at.page.url()}`);
    process.exitCode = 1;
  } finally {
    await at.browser.close();
  }
}
