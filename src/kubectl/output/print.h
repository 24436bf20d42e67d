/* print.h - every -o: yaml, json, name, wide, jsonpath, go-template, custom-columns, and what is told of a change.
 *
 * Objects are printed with their keys in order of the alphabet and without managedFields, as kubectl has it. THREADS:
 * one printer, one thread. */
#ifndef STOWAGE_KUBECTL_OUTPUT_PRINT_H
#define STOWAGE_KUBECTL_OUTPUT_PRINT_H

#include "kubectl/call.h"
#include "kubectl/output/table.h"

enum print_form {
    PRINT_TABLE, /* no -o, or wide: the verb's own, or "created" */
    PRINT_JSON,
    PRINT_YAML,
    PRINT_NAME,
    PRINT_JSONPATH,
    PRINT_JSONPATH_JSON,
    PRINT_TEMPLATE,
    PRINT_COLUMNS,
};
struct printer {
    enum print_form form;
    bool wide, managed, missing_ok, no_headers;
    char *text;         /* template or columns; owned */
    size_t printed;     /* objects so far */
    struct table table; /* of columns, until printer_end() */
};
/* From --output and its like. human: tables (and wide) are allowed. -1: told. */
int printer_init(struct call *c, struct printer *p, bool human);
void printer_release(struct printer *p);
#define _auto_printer_ __attribute__((cleanup(printer_release)))

/* One object. kind may be NULL (a List). done: "created", "configured", … is told when no -o is given; NULL: nothing to
 * tell. -1 with `e`. */
int printer_object(struct call *c, struct printer *p, const struct kind *kind, const json_t *object, const char *done,
                   struct err *e);
void printer_end(struct call *c, struct printer *p);
/* " (dry run)", " (server dry run)", "". */
const char *dry_run_note(enum dry_run dry);

/* Pretty JSON with keys in order. Appended, no newline at its end. */
void json_pretty(struct buf *out, const json_t *tree);
/* In one line, keys in order. Appended. */
void json_compact(struct buf *out, const json_t *tree);
/* Pretty with so many blanks a level. */
void json_pretty_by(struct buf *out, const json_t *tree, int blanks);

#endif
