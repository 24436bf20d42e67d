/* lab_session.h - a student's way through a lab: start, text, check, hint, answer, solution, next, status, reset,
 * submit, stop.
 */
#ifndef STOWAGE_CLI_LAB_SESSION_H
#define STOWAGE_CLI_LAB_SESSION_H

#include "cli/cli.h"

/* One of the words above, argv[0]. Returns as a verb does. */
int lab_session(const struct cli *cli, int argc, char **argv, struct err *e);
bool lab_session_has(const char *word);
/* A line a word, for the help. */
#define LAB_SESSION_HELP                                                                                               \
    "  start LAB [--seed TEXT]   a cluster for it, and its first step; --seed: the variant for this text\n"            \
    "  text, status              the step again; where you are, the score, the kubeconfig\n"                           \
    "  open                      its cluster, started again if it was not there: kubeconfig, a link for a browser\n"   \
    "  check                     judge this step; when all is right the next one begins\n"                             \
    "  answer [--to NAME] TEXT   answer the step's question\n"                                                         \
    "  hint, solution, next      help, at the price it says; how it is done; go on without the points\n"               \
    "  reset                     back to the beginning of this step, objects and volumes\n"                            \
    "  submit [-o FILE]          what you did as one signed file, to hand in\n"                                        \
    "  exam LAB[:STEP]... [--minutes N] [--seed TEXT]  several tasks against the clock, in any order, without help\n"  \
    "  exam status, task N, end  how much time is left, and the points; another task; its end before its time\n"       \
    "  WORD -o json, -o jsonl    the same for programs; jsonl with its progress (docs/labs.md)\n"                      \
    "  stop, history             end it, the cluster goes; what was done before\n"

#endif
