/* kubectl.h - kubectl inside: its grammar, messages, tables and exit codes over any cluster.
 *
 * Three doors lead here: `stowage kubectl ARGS…`, the binary called as `kubectl`, and the REPL, which keeps one `struct
 * kubectl` and so one connection and one discovery for many commands. THREADS: one struct kubectl, one thread at a
 * time.
 *
 * How to add a verb: a file verb_<name>.c with a `const struct kubectl_verb kubectl_<name>`, its declaration in
 * verbs_int.h, and a row in verbs[] of kubectl.c. What it uses is in call.h (its flags and words, requests, errors),
 * targets.h (the objects that are meant), manifests.h (files) and print.h (every -o). Help and completion follow the
 * tables. */
#ifndef STOWAGE_KUBECTL_KUBECTL_H
#define STOWAGE_KUBECTL_KUBECTL_H

#include "client/client.h"
#include "client/kinds.h"

#include <stdbool.h>
#include <stdio.h>

/* One cluster, many commands. Nothing is read or sent before a command needs it. */
struct kubectl {
    struct client *client; /* owned; NULL until first needed */
    struct access access;  /* where; for port-forward, exec, cp: further connections */
    struct kinds kinds;    /* loaded when first needed, again when a kind is unknown */
    char *ns;              /* of the context; NULL until `access` is read */
    char *kubeconfig;      /* path, NULL: the usual ones */
    char *context;         /* NULL: the current one */
    FILE *out, *err;       /* borrowed */
    int in;                /* stdin's descriptor */
    bool colour, terminal; /* out is a terminal */
    int cancel;            /* readable: stop what is under way (Ctrl-C in the REPL); -1 none */
};
/* To stdout and stderr of the process. Fails never by itself: what is wrong with a kubeconfig is told by the first
 * command that needs it. */
int kubectl_open(struct kubectl *k, const char *kubeconfig, const char *context, struct err *e);
void kubectl_close(struct kubectl *k); /* zeroed is fine */
/* argv[0]: "kubectl". Returns the exit code; messages are out. */
int kubectl_main(struct kubectl *k, int argc, char **argv);

/* ---- what there is: for help and completion ---- */

enum kubectl_flag_type {
    FLAG_BOOL,
    FLAG_TEXT,
    FLAG_INT,
    FLAG_DURATION, /* "30s", "1h5m", as Go has it; a bare number is seconds where `seconds` is set */
    FLAG_LIST,     /* again and again, each split at commas */
    FLAG_ARRAY,    /* again and again, as it is */
};
struct kubectl_flag {
    const char *name; /* NULL ends a table */
    char letter;      /* 0: none */
    enum kubectl_flag_type type;
    const char *dflt; /* text of the default; NULL: "", "false", 0 */
    const char *help;
    const char *bare; /* what --flag without a value means; NULL: it needs one (a bool: "true") */
};

/* What a verb's words are. */
enum kubectl_takes {
    TAKES_NONE,
    TAKES_KINDS,    /* kinds, kind/name, or a kind and names */
    TAKES_PODS,     /* a pod, or kind/name of what has pods */
    TAKES_NODES,    /* names of nodes */
    TAKES_NAME,     /* a name that is new */
    TAKES_FILES,    /* paths */
    TAKES_CONTEXTS, /* names of a kubeconfig */
};
struct call;
struct kubectl_verb {
    const char *name;
    const char *summary;              /* one line for the list */
    const char *usage;                /* what follows the name: "(TYPE [NAME | -l label] | TYPE/NAME ...) [flags]" */
    const char *help;                 /* examples; NULL: none */
    const char *aliases;              /* blank-separated, or NULL */
    const struct kubectl_flag *flags; /* NULL: none of its own */
    enum kubectl_takes takes;
    const struct kubectl_verb *const *subs; /* NULL-terminated, or NULL */
    int (*run)(struct call *c);             /* the exit code; NULL: a sub is needed */
};
const struct kubectl_verb *const *kubectl_verbs(void);     /* NULL-terminated */
const struct kubectl_flag *kubectl_global_flags(void);     /* understood by every verb */
const struct kubectl_verb *kubectl_verb(const char *name); /* NULL: none */

#endif
