/* complete_int.h - private to completion: what is being completed, and the names that a cluster has. */
#ifndef STOWAGE_CLI_REPL_COMPLETE_INT_H
#define STOWAGE_CLI_REPL_COMPLETE_INT_H

#include "cli/repl/session_int.h"

struct completing {
    struct session *s;
    const char *begun;  /* the word that is not finished; "" */
    const char *ns;     /* that is meant: the session's or -n */
    bool kubectl;       /* behind the word kubectl: nothing but its verbs */
    bool behind_dashes; /* "--" was there: the rest is a command in a pod */
    const struct kubectl_verb *verb;
    const struct kubectl_flag *before; /* the flag whose value is begun */
    struct strlist positional;         /* words of the verb that are no flags */
    struct completion *out;            /* borrowed */
};
/* words from `drop` on: a command. */
void complete_words(struct completing *c, struct strlist *words, size_t drop);

/* -- names.c: nothing when the cluster does not answer soon; appended -- */
/* kind: any word for it. */
void names_of(struct session *s, const char *kind, const char *ns, struct strlist *out);
void names_of_containers(struct session *s, const char *pod, const char *ns, struct strlist *out);

#endif
