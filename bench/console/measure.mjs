// measure.mjs paint|change|update - milliseconds, one a line. Run by bench/console/run.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";

const { SOURCE_DIR, LINK, BROWSER_PROGRAM } = process.env;
const { chromium } = createRequire(join(SOURCE_DIR, "web/package.json"))("playwright-core");
const browser = await chromium.launch({ executablePath: BROWSER_PROGRAM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 720 } });
const page = await context.newPage();
const base = new URL(LINK).origin;
await page.goto(LINK);
await page.locator(".card.node").first().waitFor();

// From the navigation's start to the frame that shows the first card of the map. Told by the page: to ask it takes a while, too.
async function paint() {
  await page.addInitScript(() => {
    const watcher = new MutationObserver(() => {
      if (!document.querySelector(".card.node")) return;
      watcher.disconnect();
      requestAnimationFrame(() => setTimeout(() => { document.documentElement.dataset.painted = performance.now(); }));
    });
    watcher.observe(document, { childList: true, subtree: true });
  });
  for (let i = 0; i < 9; i++) {
    await page.goto("about:blank");
    await page.goto(`${base}/console/`, { waitUntil: "commit" });
    await page.locator("html[data-painted]").waitFor();
    console.log(Math.round(await page.evaluate(() => +document.documentElement.dataset.painted)));
  }
}

// From the request that makes a claim to the frame that shows its card. Both in the page, so one clock tells.
async function change() {
  for (let i = 0; i < 15; i++)
    console.log(Math.round(await page.evaluate(async (name) => {
      const began = performance.now();
      const shown = new Promise((done) => {
        const watcher = new MutationObserver(() => {
          if (![...document.querySelectorAll(".card.claim .name")].some((n) => n.textContent === name)) return;
          watcher.disconnect();
          requestAnimationFrame(() => done(performance.now()));
        });
        watcher.observe(document.body, { childList: true, subtree: true });
      });
      fetch("/api/v1/namespaces/default/persistentvolumeclaims", { method: "POST", headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name }, spec: { accessModes: ["ReadWriteOnce"], storageClassName: "none", resources: { requests: { storage: "1Gi" } } } }) });
      return (await shown) - began;
    }, `new-${i}`)));
}

// How long the page's thread is busy with one update, and the longest it keeps the screen waiting.
async function update() {
  await page.locator(".card.claim").nth(5).waitFor();
  const trace = await context.newCDPSession(page);
  await trace.send("Performance.enable");
  const busy = async () => (await trace.send("Performance.getMetrics")).metrics.find((m) => m.name === "TaskDuration").value;
  for (let i = 0; i < 15; i++) {
    await page.waitForTimeout(700);
    const before = await busy();
    await page.evaluate((n) => fetch(`/api/v1/namespaces/default/persistentvolumeclaims/c${n}`, { method: "PATCH", headers: { "Content-Type": "application/merge-patch+json" },
      body: JSON.stringify({ metadata: { labels: { turn: String(n) } } }) }), i);
    await page.waitForTimeout(300);
    console.log(Math.round(1000 * (await busy() - before)));
  }
}

await { paint, change, update }[process.argv[2]]();
await browser.close();
