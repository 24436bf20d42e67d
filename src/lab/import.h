/* import.h - folders that were written for others become labs in memory: Killercoda and Katacoda scenarios, kuttl and
 * chainsaw tests.
 *
 * The result is the tree that a lab.yaml would give (format.h), so whoever plays, judges or tests a lab knows nothing
 * of this. What can not be done here is told before anything begins, with file and line.
 *
 * How to add a form: its reader in import_<form>.c, a row in import.c. */
#ifndef STOWAGE_LAB_IMPORT_H
#define STOWAGE_LAB_IMPORT_H

#include "lab/lab.h"

/* Fills l->tree from l->dir. NOT_FOUND: it is no folder of any form; BAD_REQUEST: `faults` tell what it can not do. */
int import_folder(struct lab *l, struct strlist *faults, struct err *e);

#endif
