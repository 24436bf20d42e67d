// labs.mjs - a student in a browser: from the catalogue to the lab's own console, through every step by its buttons, hands the
// result in and ends it; then exams. Run by test_labs_browser.sh; nothing here waits for a time.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { accessible, check, picture, run, say } from "./harness.mjs";

const { BOOK, LINK, BUNDLE } = process.env;

await run(async ({ page }) => {
  const button = (name) => page.getByRole("button", { name, exact: true });
  const dialog = page.getByRole("dialog");
  const title = (name) => page.getByRole("heading", { name, exact: true });
  const shell = page.locator(".xterm-rows");
  const state = (name, word) => page.locator(".check", { hasText: name }).locator(".state", { hasText: word });

  say("the catalogue");
  await page.goto(LINK);
  await title("A claim by hand").waitFor();
  check("the link led there", new URL(page.url()).pathname === "/console/labs");
  await page.getByLabel("Search").fill("imagefs");
  await page.getByText("1 lab,").waitFor();
  await page.getByLabel("Search").fill("");
  await accessible(page, "the catalogue");
  await picture(page, "labs");

  say("a lab is begun: what goes on is told, then its own console opens");
  const parent = new URL(page.url()).origin;
  await button("Start A claim by hand").click();
  await accessible(page, "the start's form");
  await dialog.getByRole("button", { name: "Start" }).click();
  await page.getByText("starting the lab's cluster").waitFor();
  await title("Make a claim").waitFor();
  check("another cluster's", new URL(page.url()).origin !== parent);
  await page.locator("h2").getByText("Make a claim").waitFor();
  check("what the text holds stays text", await page.locator(".markdown img, .markdown script").count() === 0 && await page.getByText("<img src=x").count() === 1);
  await shell.getByText("#").first().waitFor();
  await page.locator(".map-page.small .card.node").first().waitFor();

  say("a check that is not right: expected beside observed");
  await button("Check").click();
  await state("data is bound", "not yet").waitFor();
  await page.locator(".beside", { hasText: "there is none" }).waitFor();
  check("side by side", await page.locator(".beside").first().evaluate((e) => { const [a, b] = e.children; return a.getBoundingClientRect().top === b.getBoundingClientRect().top; }));
  await accessible(page, "a step");
  await picture(page, "lab-step");

  say("a hint: asked for its price, then taken");
  await button("A hint for 1 point").click();
  await dialog.getByText("takes 1 point").waitFor();
  await accessible(page, "the question");
  await dialog.getByRole("button", { name: "Not now" }).click();
  check("not taken", await page.locator(".hint").count() === 0);
  await button("A hint for 1 point").click();
  await dialog.getByRole("button", { name: "Take it" }).click();
  await page.getByText("The class is hand.").waitFor();
  await page.getByText("hints took 1").waitFor();

  say("what the text gives goes into the terminal; a reset takes back what it did");
  await button("Put in the terminal").first().click();
  await page.keyboard.press("Enter");
  await page.locator(".card.claim", { hasText: "data" }).waitFor();
  await button("Reset").click();
  await dialog.getByRole("button", { name: "Reset" }).click();
  await page.locator(".card.claim", { hasText: "data" }).waitFor({ state: "detached" });

  await page.locator(".xterm-rows", { hasNotText: "created" }).getByText("#").first().waitFor(); // a shell of the node as it is now

  say("the solution, by the page; then a check that is right goes on to the next step");
  await button("Solution").click();
  await page.locator(".lab-scroll section", { hasText: "kind: PersistentVolume" }).getByRole("button", { name: "Put in the terminal" }).last().click();
  await page.keyboard.press("Enter");
  await page.locator(".card.claim", { hasText: "data" }).getByText("Bound").waitFor();
  await picture(page, "lab-map");
  await button("Check").click();
  await title("Two questions").waitFor();
  await page.getByText("3 of 6 points").first().waitFor();

  say("questions are forms: saved by the check, and judged");
  await page.getByLabel("Delete").check();
  await page.getByLabel("How many GiB").fill("2");
  await button("Check").click();
  await state("policy", "not yet").waitFor();
  await state("size", "passed").waitFor();
  await accessible(page, "questions");
  await picture(page, "lab-quiz");
  await page.reload();
  await page.getByLabel("Retain").waitFor();
  check("what was answered is kept", await page.getByLabel("How many GiB").inputValue() === "2" && await page.getByLabel("Delete").isChecked());
  await page.getByLabel("Step 1: Make a claim, 4 of 4 points").click();
  await page.getByText("This step is behind you").waitFor();
  check("it has its own address", new URL(page.url()).pathname === "/console/labs/step/claim");
  await page.goBack();
  await page.getByLabel("Retain").check();
  await button("Check").click();
  await page.getByText("That was the last step").waitFor();
  await page.getByText("5 of 6 points").first().waitFor();
  await accessible(page, "the end");
  await picture(page, "lab-done");

  say("handed in: a signed file");
  const [download] = await Promise.all([page.waitForEvent("download"), button("Submit").click()]);
  await download.saveAs(BUNDLE);
  const payload = JSON.parse(JSON.parse(readFileSync(BUNDLE)).payload);
  check("the lab's", payload.lab === "by-hand" && payload.points === 5);
  await page.getByText("was written, signed").waitFor();

  say("ended: its cluster goes, the page goes home");
  await button("End").click();
  await dialog.getByRole("button", { name: "End it" }).click();
  await page.waitForURL((url) => url.origin === parent);
  await page.getByText("Best of 1 go: 5 of 6").waitFor();

  say("an exam: a clock, tasks, no help; ended by hand");
  await button("An exam…").click();
  await dialog.getByLabel("A claim by hand").check();
  await dialog.getByLabel("Minutes").fill("30");
  await accessible(page, "the exam's form");
  await picture(page, "exam-form");
  await dialog.getByRole("button", { name: "Begin" }).click();
  await page.getByRole("timer").waitFor();
  await title("Make a claim").waitFor();
  check("it counts down", /^(29:\d\d|30:00) left$|^2\d:\d\d left$/.test(await page.getByRole("timer").textContent()));
  check("no help", await button("Solution").count() === 0 && await button("A hint for 1 point").count() === 0);
  await accessible(page, "an exam");
  await picture(page, "exam");
  await button("End the exam").click();
  await dialog.getByRole("button", { name: "End it" }).click();
  await page.waitForURL((url) => url.origin === parent);
  await page.getByText("The last exam: 0 of 6 points").waitFor();

  say("an exam whose time is over: nothing can be changed, the score of each task, and home");
  await button("An exam…").click();
  await dialog.getByLabel("A claim by hand").check();
  await dialog.getByLabel("Minutes").fill("30");
  await dialog.getByRole("button", { name: "Begin" }).click();
  await page.getByRole("timer").waitFor();
  await page.getByLabel("The lab's cluster").waitFor();
  const status = (answer) => answer.url().endsWith("/console/api/lab-mark") && answer.ok();
  await page.waitForResponse(status); // the page has heard of its exam
  execFileSync("python3", ["-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=30); c.execute(\"UPDATE exam SET until = CAST(strftime('%s', 'now') AS INTEGER) WHERE ended = 0\"); c.commit()", BOOK]);
  await title("The exam is over").waitFor();
  await page.waitForURL((url) => url.origin === parent);
  await title("The exam is over").waitFor();
  await page.getByText("0 of 6 points (0%)").waitFor();
  await page.getByRole("row", { name: "by-hand 0 of 6" }).waitFor();
  await button("Start A claim by hand").waitFor();
  check("no cluster is said to be lost", await page.getByText("does not answer").count() === 0);
  await accessible(page, "the end of an exam");
  await picture(page, "exam-over");
});
