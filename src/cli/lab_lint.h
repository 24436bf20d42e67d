/* lab_lint.h - `stowage lab lint`: is the lab well made, and are its checks worth anything? */
#ifndef STOWAGE_CLI_LAB_LINT_H
#define STOWAGE_CLI_LAB_LINT_H

#include "cli/cli.h"

struct lint_opts {
    bool play; /* also play it: a fresh cluster scores 0, the solution 100, near-misses less */
    int only;  /* so many near-misses at most, spread over all; 0: all */
    int jobs;  /* so many near-misses at a time; 0: one a processor */
};
/* Prints what it finds. 0: nothing; 1: something. -1 with `e`: it could not be done. */
int lab_lint(const struct cli *cli, const char *dir, const struct lint_opts *opts, struct err *e);

#endif
