/* kustomize.c - `kubectl kustomize DIR`: what a folder with a kustomization comes to. */
#include "api/decode.h"
#include "base/mem.h"
#include "kubectl/call.h"
#include "kubectl/kustomize/kustomize.h"
#include "kubectl/verbs/verbs_int.h"

#include <stdio.h>

static int print_built(struct call *c, const json_t *objects)
{
    FILE *out = c->k->out;
    _auto_file_ FILE *file = NULL;
    size_t i;
    json_t *object;
    const char *path = call_text(c, "output");
    if (*path && !(out = file = fopen(path, "we")))
        return call_fail(c, "open %s: no such file or directory", path);
    json_array_foreach(objects, i, object)
    {
        _auto_free_ char *text = yaml_text(object);
        fprintf(out, "%s%s", i ? "---\n" : "", text);
    }
    return 0;
}

static int kustomize_run(struct call *c)
{
    _auto_json_ json_t *objects = NULL;
    _auto_strlist_ struct strlist warnings = {0};
    struct err e = ERR_INIT;
    if (c->words.len > 1)
        return call_fail(c, "specify one path to kustomization.yaml");
    const int rc = kustomize_build(c->words.len ? c->words.items[0] : ".", &objects, &warnings, &e);
    for (size_t i = 0; i < warnings.len; i++)
        fprintf(c->k->err, "%s\n", warnings.items[i]);
    return rc < 0 ? call_fail(c, "%s", e.msg) : print_built(c, objects);
}

static const struct kubectl_flag flags[] = {
    {"output", 'o', FLAG_TEXT, NULL, "If specified, write output to this path."},
    {0},
};

const struct kubectl_verb kubectl_kustomize = {
    .name = "kustomize",
    .summary = "Build a kustomization target from a directory or URL",
    .usage = "DIR [flags] [options]",
    .help = "  kubectl kustomize overlays/production\n  kubectl kustomize . -o all.yaml\n",
    .flags = flags,
    .takes = TAKES_FILES,
    .run = kustomize_run,
};
