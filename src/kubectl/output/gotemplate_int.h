/* gotemplate_int.h - private to templates: what the run (gotemplate.c) and its functions (gotemplate_functions.c)
 * share. */
#ifndef STOWAGE_KUBECTL_OUTPUT_GOTEMPLATE_INT_H
#define STOWAGE_KUBECTL_OUTPUT_GOTEMPLATE_INT_H

#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>

#define ARGS_MAX 16

struct run;
struct template_function {
    const char *name;
    /* args: borrowed. *out: new. -1 after template_fail(). */
    int (*call)(struct run *r, json_t **args, size_t len, json_t **out);
    size_t least, most; /* so many arguments */
};
extern const struct template_function template_functions[];
extern const size_t template_function_count;

/* Where the run stands, and what is wrong there. Returns -1. */
int template_fail(struct run *r, const char *what, const char *near);
/* As `if` takes it: neither nothing, nor empty, nor zero. */
bool template_true(const json_t *v);
void template_print(const json_t *v, struct buf *out);

#endif
