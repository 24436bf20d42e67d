// class_model.js - a class as its table shows it: which rows, in which order, and what has moved since the last look.

export const STATES = { stuck: "stuck", working: "working", done: "done", "not begun": "not begun", ended: "ended" };
const URGENCY = ["stuck", "working", "not begun", "ended", "done"];

// Words and signs of a step; the sign is for the eye, the word for everybody.
export const STEP = {
  done: { sign: "✓", tone: "good" }, skipped: { sign: "–", tone: "idle", word: "gone on without all points" }, stuck: { sign: "!", tone: "bad" },
  working: { sign: "▸", tone: "wait", word: "at it" }, ahead: { sign: "·", tone: "idle" }, left: { sign: "×", tone: "idle", word: "never done" },
};
export const stepWord = (state) => STEP[state]?.word || state;

// Compares by what a column is about; ties go by name.
const ORDER = {
  student: () => 0,
  state: (a, b) => URGENCY.indexOf(a.state) - URGENCY.indexOf(b.state) || (a.stuck?.since || 0) - (b.stuck?.since || 0),
  cluster: (a, b) => a.cluster.localeCompare(b.cluster),
  points: (a, b) => b.points - a.points,
  hints: (a, b) => b.hints - a.hints,
  last: (a, b) => b.last - a.last,
};
export const COLUMNS = Object.keys(ORDER);

export function rows(students, { text = "", state = "", sort = "student", down = false } = {}) {
  const wanted = text.toLowerCase(), order = ORDER[sort] || ORDER.student;
  const shown = students.filter((s) => (!state || (state === "down" ? !["up", "no lab"].includes(s.cluster) : s.state === state)) &&
    (!wanted || s.student.toLowerCase().includes(wanted) || (s.stuck?.check || "").toLowerCase().includes(wanted)));
  shown.sort((a, b) => (order(a, b) || a.student.localeCompare(b.student)) * (down ? -1 : 1));
  return shown;
}

// Sentences of what is not as it was: for who listens, and a mark for who looks.
export function moved(before, now) {
  if (!before) return [];
  const old = new Map(before.students.map((s) => [s.student, s])), told = [];
  for (const s of now.students) {
    const was = old.get(s.student);
    if (!was) continue;
    if (was.cluster !== s.cluster) told.push({ student: s.student, text: `${s.student}: cluster ${s.cluster}` });
    s.tasks.forEach((task, t) => task.steps.forEach((step, i) => {
      const earlier = was.tasks[t]?.steps[i]?.state || "ahead";
      if (earlier !== step.state) told.push({ student: s.student, step: `${t}.${i}`, text: `${s.student}: ${step.title} ${stepWord(step.state)}` });
    }));
  }
  return told;
}

// "5 m", as short as a column wants it.
export function ago(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  for (const [unit, n] of [["d", 86400], ["h", 3600], ["min", 60]]) if (s >= n) return `${Math.floor(s / n)} ${unit}`;
  return `${s} s`;
}
