// browser.mjs - a person at the console: looks, clicks, types, and what is seen is what the cluster says. Run by
// test_browser.sh. Nothing here waits for a time: each step waits for what it expects.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { accessible as everybody, check, picture as pictures, run, say } from "./harness.mjs";

const { STOWAGE, LINK, DATA, SCRATCH, KUBECTL } = process.env;
const kubectl = (...args) => execFileSync(KUBECTL, args).toString();

const claim = (name) => ({ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name }, spec: { accessModes: ["ReadWriteOnce"], storageClassName: "none-such", resources: { requests: { storage: "1Gi" } } } });
function apply(object) {
  const file = join(SCRATCH, `${object.metadata.name}.json`);
  writeFileSync(file, JSON.stringify(object));
  kubectl("apply", "-f", file);
}

await run(async ({ page }) => {
  const base = new URL(LINK).origin + "/console/";
  const go = (path) => page.goto(base + path);
  const card = (column, name) => page.locator(`.card.${column}`, { hasText: name });
  const button = (name) => page.getByRole("button", { name, exact: true });
  const accessible = (where) => everybody(page, where), picture = (name) => pictures(page, name);

  say("signed out: a page that says what to do");
  await go("");
  await page.getByText("stowage console").waitFor();
  await accessible("signing in");
  await picture("signin");

  say("a link signs in; the map");
  await page.goto(LINK);
  await card("claim", "log").getByText("Bound").waitFor();
  await card("pod", "web").getByText("Running").waitFor();
  await card("disk", "vol-").getByText("in-use").waitFor();
  await card("claim", "waiting").getByText("Pending").waitFor();
  await page.locator(".card.claim .bar").first().waitFor();
  check("arrows", await page.locator("path.edge").count() >= 5);
  await accessible("the map");
  await picture("map");

  say("why, and the glass disk");
  await card("claim", "waiting").click();
  await page.getByText("there is no class of that name").waitFor();
  await card("claim", "log").click();
  await page.getByText("Loop device").waitFor();
  const loop = await page.locator(".layer", { hasText: "Loop device" }).locator("code").textContent();
  check(`${loop} is the kernel's`, execFileSync("losetup", ["-n", "-O", "NAME"]).toString().includes(loop));
  await accessible("the glass disk");
  await picture("glass");

  say("a claim is bound, and the picture changes");
  const asks = /\/console\/api\/|\/stats\/summary/; // by watches alone, not by what is asked now and then
  await page.route(asks, (route) => route.abort());
  apply(claim("late"));
  await card("claim", "late").getByText("Pending").waitFor();
  apply({ apiVersion: "v1", kind: "PersistentVolume", metadata: { name: "by-hand" }, spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], storageClassName: "none-such", hostPath: { path: "/mnt/x" } } });
  await card("claim", "late").getByText("Bound").waitFor();
  await card("volume", "by-hand").getByText("Bound").waitFor();
  await page.unroute(asks);

  say("tables of the server, and what an object holds stays text");
  await go("resources/configmaps");
  await page.getByRole("link", { name: "hostile" }).click();
  await page.locator("pre.yaml", { hasText: "<script>window.hurt" }).waitFor();
  await accessible("an object");
  await picture("object");
  await go("object/pods/default/web");
  await page.getByText("Scheduled").first().waitFor();
  check("nothing of it ran", await page.evaluate(() => window.hurt) === undefined);

  say("create from YAML: the server's words at the line, then done");
  await go("resources/configmaps?ns=default");
  await button("Create from YAML").click();
  const editor = page.locator(".cm-content");
  await editor.fill("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: Made_\n");
  await button("Create").click();
  await page.locator(".cm-lint-marker-error").waitFor();
  await page.locator(".error", { hasText: "lowercase RFC 1123" }).waitFor();
  await accessible("the editor");
  await picture("create");
  await editor.fill("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made\ndata:\n  where: made here\n");
  await button("Create").click();
  await page.locator("h1", { hasText: "made" }).waitFor();

  say("edit: what would change, then apply");
  await go("object/persistentvolumeclaims/default/waiting");
  await button("Edit").click();
  const text = await editor.innerText();
  await editor.fill(text.replace(/\n\n/g, "\n").replace("  name: waiting", "  name: waiting\n  labels:\n    edited: 2Gi"));
  await button("Show what changes").click();
  await page.locator("ins", { hasText: "2Gi" }).waitFor();
  await button("Apply").click();
  await page.locator("pre.yaml", { hasText: "edited: 2Gi" }).waitFor();

  say("delete says what follows");
  await button("Delete").click();
  await page.getByText("It has no volume yet").waitFor();
  await button("Keep").click();

  say("a terminal");
  await go("terminals?pod=default/web");
  await page.locator(".xterm-rows", { hasText: "#" }).waitFor();
  await page.locator(".term").click();
  await page.keyboard.type("echo typed > /tmp/typed; echo dra''wn\n");
  await page.locator(".xterm-rows", { hasText: "drawn" }).waitFor();
  check("typed in the pod", kubectl("exec", "web", "--", "cat", "/tmp/typed") === "typed\n");
  await picture("terminal");

  say("a node's terminal beside it, and logs");
  await page.getByLabel("Where").selectOption({ label: "node node01" });
  await button("Shell").click();
  await page.locator(".xterm-rows", { hasText: "node01" }).waitFor();
  await page.getByLabel("Where").selectOption({ label: "default/web nginx" });
  await button("Logs").click();
  await page.locator(".log").waitFor();

  say("files: a page goes up, and comes down again");
  await go("terminals");
  await page.getByLabel("Where").selectOption({ label: "default/web nginx" });
  await button("Files").click();
  await page.getByLabel("Upload").setInputFiles({ name: "index.html", mimeType: "text/html", buffer: Buffer.from("<h1>from the browser</h1>") });
  await page.locator(".files").getByRole("button", { name: "index.html", exact: true }).click();
  await page.locator(".files .log", { hasText: "from the browser" }).waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), button("Download").first().click()]);
  check("what comes down", (await download.path(), download.suggestedFilename()) === "index.html");
  await accessible("files");

  say("disks: made, refused, attached, snapshotted");
  await go("disks");
  await button("Create disk").click();
  const form = page.getByRole("dialog");
  await form.getByLabel("Zone").selectOption("us-east-1a");
  await form.getByLabel("Size in GiB").fill("20000");
  await form.getByRole("button", { name: "Create disk" }).click();
  await form.locator(".error").waitFor();
  await accessible("the disks' form");
  await form.getByLabel("Size in GiB").fill("7");
  await form.getByRole("button", { name: "Create disk" }).click();
  const row = page.locator("tr", { hasText: "7 GiB" });
  await row.getByText("available").waitFor();
  await row.getByRole("button", { name: "Attach" }).click();
  await form.getByLabel(/Node/).selectOption("node01");
  await form.getByRole("button", { name: "Attach" }).click();
  await row.getByText("in-use").waitFor();
  await picture("disks");
  await row.getByRole("button", { name: "Snapshot" }).click();
  await form.getByRole("button", { name: "Create snapshot" }).click();
  await page.getByText("snap-").first().waitFor();

  say("the timeline");
  await go("timeline");
  await page.locator(".timeline", { hasText: "ProvisioningSucceeded" }).waitFor();
  kubectl("label", "pvc", "log", "seen=yes");
  await page.locator(".changes", { hasText: "metadata.labels" }).waitFor();
  await accessible("the timeline");
  await picture("timeline");

  say("keys, addresses, the way back");
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByText("search in this view").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("d");
  await page.locator("h1", { hasText: "Disks" }).waitFor();
  await page.goBack();
  await page.locator("h1", { hasText: "Timeline" }).waitFor();
  await page.keyboard.press("/");
  check("the search has the keyboard", await page.evaluate(() => document.activeElement.type) === "search");

  say("the cluster goes and comes: said, tried again, healed without a reload");
  await go("");
  await card("claim", "log").waitFor();
  await page.evaluate(() => { window.same = true; });
  execFileSync(STOWAGE, ["down", "--data", DATA]);
  await page.getByText("The cluster does not answer").waitFor();
  execFileSync(STOWAGE, ["up", "--detach", "--data", DATA, "--listen", "127.0.0.1:0"]);
  await page.getByText("The cluster does not answer").waitFor({ state: "detached" });
  apply(claim("healed"));
  await card("claim", "healed").waitFor();
  check("the same page", await page.evaluate(() => window.same));
  kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=300s");
});
