// lab_jobs.js - the words of `stowage lab`, run beside the server and looked at until they end (docs/console.md).
import { ApiError, console_ } from "./api.js";

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// What the lines of a job say: {progress, check} as they come are told, the result is kept.
function reader(told) {
  let rest = "", text = "", result;
  return {
    take(out) {
      text += out;
      const lines = (rest + out).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        let said;
        try { said = JSON.parse(line); } catch { continue; } // not by lines: its text
        if (said?.result !== undefined) result = said.result;
        else told?.(said);
      }
    },
    end: () => ({ text, result }),
  };
}

// Runs op to its end: {code, result, text}. job: one that is under way already. Fails with the command's own words when it
// has no result; a check that is not right has one.
export async function run(op, body = {}, { told, begun, job } = {}) {
  const id = job ?? (await console_(`lab-${op}`, body)).job, read = reader(told);
  begun?.(id);
  for (let from = 0, pause = 25; ; pause = Math.min(pause * 1.5, 300)) {
    const look = await console_("lab-job", { job: id, from });
    read.take(look.out);
    from = look.next;
    if (look.ended) {
      const { text, result } = read.end();
      if (look.code !== 0 && !result) throw new ApiError(look.code, { message: look.err.trim().replace(/^stowage: /, "") || `it ended with code ${look.code}` });
      return { code: look.code, result, text };
    }
    await wait(pause);
  }
}
export const catalogue = async () => JSON.parse((await run("list")).text);
export const mark = () => console_("lab-mark");
export const cancel = (job) => console_("lab-cancel", { job });

// "1:05:09", "12:30".
export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds)), two = (n) => String(n).padStart(2, "0");
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}
// What is to be saved before a check: questions with a draft that is not what was answered.
export const unsaved = (step, drafts) => (step?.checks || []).filter((c) => c.quiz && drafts[c.name] !== undefined && drafts[c.name].trim() !== "" && drafts[c.name] !== (c.quiz.answered ?? ""));
// A check's state in a word: of the run that goes on, else the last.
export const outcome = (check) => check.passed === true ? "passed" : check.passed === false ? "not yet" : "not judged";
// In seconds, what is left of the exam that is under way, or being judged; null: there is none.
export const leftOf = (view, now) => view?.exam && !view.exam.ended ? view.exam.left - (now - view.at) / 1000 : null;
// Has the last exam ended by itself, not long ago?
export const justOver = (exam, now) => !!exam?.ended && exam.ended >= exam.until && now - exam.ended * 1000 < 3600000;
