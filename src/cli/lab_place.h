/* lab_place.h - where labs are found, and where a student's own lab lives. */
#ifndef STOWAGE_CLI_LAB_PLACE_H
#define STOWAGE_CLI_LAB_PLACE_H

#include "cli/cli.h"

#include <stdint.h>

/* The folder of the labs that are there: $STOWAGE_LABS, else beside the installed program, else beside the one that was
 * built, else here. Returns new, or NULL. */
char *labs_dir(const struct cli *cli);
/* A lab's folder, by path or by name. Returns new, or NULL: NOT_FOUND, with the nearest name there is. */
char *lab_dir(const struct cli *cli, const char *word, struct err *e);
/* The data directory whose book a cluster's labs are written in: its own, or the one that it is the lab's cluster of.
 * Returns new. */
char *lab_owner(const char *data);
/* <data>/labs of that owner, made: the book, and the cluster of the lab that is under way. Returns new, or NULL with
 * `e`. */
char *lab_home(const char *data, struct err *e);
/* The folder there of the cluster of the lab that is under way; task: of an exam, its attempt's number; else 0. Returns
 * new. */
char *lab_cluster_dir(const char *home, int64_t task);

#endif
