/* kustomize.h - a folder with a kustomization, built: its resources, generators, patches and transformers.
 *
 * Source: kustomize v5.5 (the one in kubectl 1.32): fields of a kustomization, its default field tables, the order of
 * its output. What needs a network or another program (remote resources, helmCharts, plugins) is refused by name.
 * THREADS: any; nothing is kept. */
#ifndef STOWAGE_KUBECTL_KUSTOMIZE_H
#define STOWAGE_KUBECTL_KUSTOMIZE_H

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>

/* *out: a new array of objects, members in the order of their names. `warnings` gets whole lines, deprecated fields. */
int kustomize_build(const char *folder, json_t **out, struct strlist *warnings, struct err *e);

#endif
