// class.mjs - a teacher at the class: sees what moves without a reload, finds who is stuck, looks into a cluster without changing
// anything, takes the gradebook. Run by test_class.sh. Nothing here waits for a time: each step waits for what it expects.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { accessible, check, picture, run, say } from "./harness.mjs";

const { STOWAGE, LINK, ROOM, KUBECTL } = process.env;
const as = (student, ...words) => execFileSync(STOWAGE, ["lab", ...words], { env: { ...process.env, STOWAGE_DATA: join(ROOM, "students", student) } }).toString();
const its = (student, ...words) => execFileSync(KUBECTL, ["--kubeconfig", join(ROOM, "students", student, "labs/cluster/data/kubeconfig"), ...words]).toString();

await run(async ({ page }) => {
  const row = (student) => page.locator(`tr[data-student="${student}"]`), base = new URL(LINK).origin + "/console/";
  const names = () => page.locator("tbody tr").evaluateAll((rows) => rows.map((r) => r.dataset.student));

  say("the link leads to the class");
  await page.goto(LINK);
  await row("alice").getByText("3 of 8").waitFor();
  await row("bob").getByText("it is there").waitFor();
  check("its address", page.url() === base + "class");
  check("a name is text", await row("<i>Dave<i>x").count() === 1 && await page.locator("tbody i").count() === 0);
  check("said in words", (await page.locator(".count").innerText()).includes("4 students: 1 stuck, 3 working"));
  await accessible(page, "the class");
  await picture(page, "class");

  say("a student does a step, and it is seen");
  await page.evaluate(() => { window.same = true; });
  its("carol", "create", "configmap", "m", `--from-literal=size=${/the size (\dGi)/.exec(as("carol", "text"))[1]}`);
  as("carol", "check");
  await row("carol").getByText("3 of 8").waitFor();
  await row("carol").locator("td.step").first().getByText("done, 3 of 3 points").waitFor({ state: "attached" });
  await page.locator("[role=status]", { hasText: "carol: Make it done" }).waitFor({ state: "attached" });
  check("the same page", await page.evaluate(() => window.same));

  say("who is stuck, since when, on what; the address says what is shown");
  await page.getByLabel("Show").selectOption("stuck");
  await row("alice").waitFor({ state: "detached" });
  check("only bob", (await names()).join() === "bob");
  await page.getByLabel("Show").selectOption("");
  await page.getByRole("button", { name: "Points" }).click();
  await page.waitForURL(/sort=points/);
  check("most points first", ["alice", "carol"].includes((await names())[0]));
  await page.getByRole("button", { name: "Points" }).click();
  await page.locator("th[aria-sort=descending]").waitFor();
  check("and last", ["alice", "carol"].includes((await names()).at(-1)));
  await page.keyboard.press("Escape");
  await page.locator("h1").click();
  await page.keyboard.press("/");
  await page.keyboard.type("ali");
  await row("bob").waitFor({ state: "detached" });
  await page.goto(`${base}class/bob?sort=state`);
  await page.getByRole("complementary").getByText('configmaps "m" not found').waitFor();
  await accessible(page, "a student's work");
  await picture(page, "class-student");
  await page.keyboard.press("Escape");
  await page.getByRole("complementary").waitFor({ state: "detached" });
  check("the order stays", page.url() === `${base}class?sort=state` && (await names())[0] === "bob");

  say("a look into a student's cluster: seen, not changed");
  const [tab] = await Promise.all([page.context().waitForEvent("page"), row("bob").getByRole("button", { name: /Look into/ }).click()]);
  tab.setDefaultTimeout(180000);
  await tab.getByText("You look at this cluster and can change nothing in it").waitFor();
  check("another cluster", new URL(tab.url()).origin !== new URL(page.url()).origin);
  await tab.goto(new URL("resources/configmaps?ns=default", tab.url()).href);
  await tab.getByRole("link", { name: "kube-root-ca.crt" }).waitFor();
  check("no views that it can do nothing with", await tab.getByRole("navigation").getByText("Terminals").count() === 0);
  await tab.getByRole("button", { name: "Create from YAML" }).click();
  await tab.locator(".cm-content").fill("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: by-the-teacher\n  namespace: default\n");
  await tab.getByRole("button", { name: "Create", exact: true }).click();
  await tab.locator(".error", { hasText: 'User "stowage:viewer" cannot create resource "configmaps"' }).waitFor();
  await accessible(tab, "a look");
  await picture(tab, "class-look");
  await tab.close();

  say("the gradebook");
  await page.getByLabel("Lab").selectOption("small");
  await page.getByLabel("Gradebook").selectOption("csv");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download" }).click()]);
  check("its name", download.suggestedFilename() === "small-results.csv");
  check("what is in it", readFileSync(await download.path(), "utf8").includes('"carol",graded,75,3,4'));

  say("a cluster is killed: said, and not looked into");
  const pid = execFileSync(STOWAGE, ["status", "--json", "--data", join(ROOM, "students/alice/labs/cluster/data")]).toString();
  process.kill(JSON.parse(pid).pid, "SIGKILL");
  await row("alice").getByText("down", { exact: true }).waitFor();
  check("no look", await row("alice").getByRole("button", { name: /Look into/ }).isDisabled());
});
