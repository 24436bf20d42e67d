/* import_int.h - private to lab: what readers of others' folders share. */
#ifndef STOWAGE_LAB_IMPORT_INT_H
#define STOWAGE_LAB_IMPORT_INT_H

#include "lab/import.h"

struct import {
    const struct lab *lab; /* its dir; borrowed */
    json_t *tree;          /* what is made: title, cluster, setup, steps… */
    struct strlist *faults;
    char *ns; /* of objects that name none; NULL: the context's. Owned */
};

/* -- readers: -1 with `e` only when a file can not be read; what can not be done is a fault -- */
typedef int import_fn(struct import *im, struct err *e);
import_fn import_killercoda, import_kuttl, import_chainsaw;

/* "step1/verify.sh:3: …" */
void import_fault(struct import *im, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The line in which a text first has a part; 1 if it has not. */
int import_line(const char *text, const char *part);

/* A new step at the end; borrowed. title may be NULL. */
json_t *import_step(struct import *im, const char *name, const char *title);
/* Takes the value to the end of the list `field` of a step (or of the tree). */
void import_add(json_t *owner, const char *field, json_t *take_value);
/* The file's documents. Returns new, or NULL with a fault. */
json_t *import_docs(struct import *im, const char *file, struct buf *text);
/* A namespace of its own for the test: it is made first, and is that of objects that name none. */
void import_namespace(struct import *im, const char *name);
/* {"run": the script, in the lab's folder}; new. */
json_t *import_script(const char *text);
/* A duration's text, or the other one. */
const char *import_duration(const char *text, const char *dflt);

/* -- what kuttl and chainsaw do alike -- */
/* A check of `kind` ("assert", "error") on the object; `name` must be new in the lab. */
void import_object_check(struct import *im, json_t *step, const char *kind, const char *within, json_t *take_object);
/* A check that a script ends with a code. */
void import_script_check(struct import *im, json_t *step, const char *name, const char *within, const char *script,
                         int code);
/* `kubectl delete` of what {"apiVersion", "kind", "name", "namespace", "labels"} means; new. */
json_t *import_delete(const json_t *ref);
/* A word that kubectl knows for a kind: "deployment.v1.apps". Returns new. */
char *import_kind_word(const char *api_version, const char *kind);

#endif
