/* check_int.h - private to lab: kinds of checks, and the matches that several use. */
#ifndef STOWAGE_LAB_CHECK_INT_H
#define STOWAGE_LAB_CHECK_INT_H

#include "lab/check.h"

/* Fills out->passed and both sides. -1: could not be judged now; USAGE: never, the lab is wrong. `what` is the member
 * of the check by the kind's name.
 */
typedef int check_fn(struct lab_env *env, const json_t *what, struct check_result *out, struct err *e);
check_fn check_assert, check_error;                  /* check_object.c */
check_fn check_jsonpath;                             /* check_jsonpath.c */
check_fn check_exec, check_bytes;                    /* check_exec.c */
check_fn check_all;                                  /* check.c */
check_fn check_http;                                 /* check_http.c */
check_fn check_event, check_order;                   /* check_event.c */
check_fn check_script, check_node;                   /* check_script.c */
check_fn check_history, check_same, check_recreated; /* check_history.c */
int check_quiz(struct lab_env *env, const json_t *check, struct check_result *out, struct err *e); /* whole check */

/* Does the text match? `match` NULL: always. What was wanted is appended to `expected`. BAD_REQUEST: the expression is
 * none. */
int match_text(const json_t *match, const char *text, bool *out_matches, struct buf *expected, struct err *e);
/* Is each member that `want` names there, and equal? As check_object.c has it. */
bool object_covers(const json_t *want, const json_t *have);
/* A text, shortened to a few lines, for what is shown. */
void show_text(struct buf *out, const char *text);
/* The running pod by a name or a label selector. Returns new. */
char *find_pod(struct lab_env *env, const char *pod, const char *ns, struct err *e);

#endif
