/* plan.h - what a submission does to a lab, step by step: manifests, scripts and answers, taken from the files that
 * were handed in.
 *
 * WHICH STEP a file belongs to is said by its name or a folder's: "q4.yaml", "q4-pod.yaml", "q4/pod.yaml"; a file that
 * names none belongs to the first. In a script `# step: q4` begins another step's part and `# answer: TEXT` answers the
 * step's question (`# answer NAME: TEXT` the one of that name). A session's log (*.jsonl) has the step in each line.
 * Answers come from answers.yaml, .json or .txt, too: names of questions, or of steps, with what is answered.
 *
 * In a step files come by name, manifests that follow each other as one: namespaces first, pods last. A manifest that a
 * script names is the script's. THREADS: pure. */
#ifndef STOWAGE_LAB_PLAN_H
#define STOWAGE_LAB_PLAN_H

#include "lab/handin.h"
#include "lab/lab.h"

#include <jansson.h>
#include <stdbool.h>

struct piece {
    size_t step;       /* index in the lab's steps */
    const char *file;  /* borrowed from the handin */
    char *script;      /* owned; NULL: objects */
    json_t *objects;   /* owned; in the order in which they are sent */
    bool missing_only; /* those that are there already are left as they are */
};
struct plan {
    struct piece *items; /* owned; by step */
    size_t len, cap;
    json_t *answers;        /* name of a check -> text */
    const char *kubeconfig; /* the file that is one: a cluster is judged that exists; NULL */
    json_t *bundle;         /* of `lab submit`: what it says (bundle.h); NULL */
    struct strlist remarks; /* files that could not be used, and why; a line each */
};
void plan_release(struct plan *p); /* zeroed is fine */
#define _auto_plan_ __attribute__((cleanup(plan_release)))

/* The handin must outlive the plan. Never fails for what a file is not: that is a remark. BAD_REQUEST: nothing in it
 * can be judged, or a bundle is not what was signed. */
int plan_of(const struct lab *lab, const struct handin *h, struct plan *out, struct err *e);
bool plan_has_scripts(const struct plan *p);

#endif
