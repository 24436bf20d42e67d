/* cli.h - the command line: `stowage VERB`. One verb, one file.
 *
 * A verb is a row: name, one line for the list, the text of its --help, and a function. Verbs that start a cluster call
 * back through `struct cli_host`, since wiring is the floor above.
 *
 * How to add a verb: a file verb_<name>.c with a `const struct cli_verb verb_<name>`, and a row in verbs[] of cli.c.
 * The man page (docs/stowage.1) and the completions follow the same table. */
#ifndef STOWAGE_CLI_CLI_H
#define STOWAGE_CLI_CLI_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct up_conf {
    const char *data_dir;     /* absolute */
    const char *host;         /* "127.0.0.1" */
    int port;                 /* 6443; 0 = any free one */
    const char *profile;      /* "eks", "killercoda", "kind", "minikube", "none" */
    int nodes;                /* 1..16 */
    const char *zones;        /* of the nodes, in turn: "us-east-1a,us-east-1b"; NULL: chosen */
    int simulated_nodes;      /* beside them, for scale */
    int64_t nodefs_bytes;     /* size of each node's filesystem */
    bool fail_unknown_images; /* no stub in the place of an image that nobody knows */
    int64_t imagefs_bytes;    /* size of the one that image layers are on */
    unsigned history_seconds; /* how far back a watch may begin; 0: five minutes */
    bool ephemeral;           /* nothing is kept */
    bool detach;              /* return once nodes are Ready */
    bool plain_http;
    bool simulate; /* do not touch the kernel even if we may */
    bool quiet;
    int verbose;
    const char *kubeconfig; /* where to write; NULL = <data>/kubeconfig */
    bool write_kubeconfig;  /* merge a context into the user's own */
    const char *class_dir;  /* its console shows the class in this folder (classroom.h); NULL: none */
    const char *self_exe;
};

struct cli_host {
    int (*up)(const struct up_conf *conf, struct err *e);
};

struct cli {
    const struct cli_host *host;
    const char *self_exe; /* absolute path of this binary */
};

struct cli_verb {
    const char *name;
    const char *summary; /* for the list */
    const char *help;    /* for VERB --help */
    const char *words;   /* that it begins with, blank-separated, for completion; NULL: none */
    /* argv[0] is the verb. Returns the exit code, or -1 with `e` filled. */
    int (*run)(const struct cli *cli, int argc, char **argv, struct err *e);
    bool own_flags; /* reads --help itself */
};

/* The whole program after the hidden verbs: returns the process's exit code. */
int cli_main(const struct cli_host *host, int argc, char **argv);

/* NULL-terminated, in the order they are listed. */
const struct cli_verb *const *cli_verbs(void);

/* -- shared by verbs -- */
/* --data given, else $STOWAGE_DATA, else /var/lib/stowage for root and the XDG data folder for others. Returns new,
 * absolute. */
char *cli_data_dir(const char *given);
/* For verbs that know no other flag: parses it, and leaves optind at what follows. in_front: what follows may look like
 * flags. Returns new, as cli_data_dir(); NULL with `e` set by cli_usage(). */
char *cli_data_flag(const char *verb, bool in_front, int argc, char **argv, struct err *e);
/* Fills `e` with a usage error that points at VERB --help. Returns -1. */
int cli_usage(struct err *e, const char *verb, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
