/* lab_solution.h - a step's reference solution, as commands that a student could have typed. THREADS: any. */
#ifndef STOWAGE_CLI_LAB_SOLUTION_H
#define STOWAGE_CLI_LAB_SOLUTION_H

#include "lab/lab.h"

#include <stdio.h>

/* vars: the lab's variables and the ids of its disks. Every action is told, in order. */
int lab_solution_print(const struct lab *lab, const json_t *vars, const json_t *step, FILE *out, struct err *e);

#endif
