/* lab.h - a lab: a folder with a lab.yaml and plain manifests beside it.
 *
 * The tree is what the file says, checked against format.h, its ${variables} filled in; who reads it may take members
 * that the format requires for granted. THREADS: a struct lab is read only once loaded. */
#ifndef STOWAGE_LAB_LAB_H
#define STOWAGE_LAB_LAB_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <jansson.h>

struct lab {
    char *name, *dir; /* dir: absolute */
    json_t *tree;
    json_t *vars; /* name -> text: the variant's */
};
void lab_release(struct lab *l); /* zeroed is fine */
#define _auto_lab_ __attribute__((cleanup(lab_release)))

/* Reads <dir>/lab.yaml, or a folder that was written for others (import.h). seed: which variant, e.g. the student's
 * name; NULL or "": the first value of each. What is wrong with the file is told in `faults`, a line each, and -1
 * returned with `e` BAD_REQUEST. */
int lab_load(const char *dir, const char *seed, struct lab *out, struct strlist *faults, struct err *e);

/* The points that can be had. */
int lab_points(const struct lab *l);
int lab_step_points(const json_t *step);
int check_points(const json_t *check);
/* A file below the lab's folder as it is, any bytes, appended. Never leads out of the folder. */
int lab_bytes(const struct lab *l, const char *path, struct buf *out, struct err *e);
/* A file below the lab's folder, its ${variables} filled in, appended. Never leads out of the folder. */
int lab_file(const struct lab *l, const char *path, struct buf *out, struct err *e);
/* ${name} filled in; unknown names stay. Appended. */
void lab_fill(const json_t *vars, const char *text, struct buf *out);

#endif
