/* call.h - one command under way: its flags and words, its requests, and how its failures are told. For verbs. */
#ifndef STOWAGE_KUBECTL_CALL_H
#define STOWAGE_KUBECTL_CALL_H

#include "base/mem.h"
#include "kubectl/kubectl.h"

#define CALL_FLAGS_MAX 128

struct flag_value {
    const struct kubectl_flag *flag;
    struct strlist texts; /* what was given, in order; empty: nothing */
};
struct call {
    struct kubectl *k;
    const struct kubectl_verb *verb;
    char *path; /* "kubectl create configmap"; owned */
    struct flag_value values[CALL_FLAGS_MAX];
    size_t values_len;
    struct strlist words;
    int dash;               /* how many words stood before "--"; -1: there was none */
    const char *ns;         /* to work in; borrowed */
    bool ns_given;          /* by --namespace */
    int code;               /* the exit code so far */
    bool fresh;             /* discovery was asked in this call, or asked again */
    bool by_kind;           /* see call_label() */
    struct kinds old_kinds; /* kept for those who point into it */
    struct strlist warned;  /* warnings that were told */
    json_t *failure;        /* Status of the last refused request; owned */
};

/* ---- flags ---- (a name no table has is a BUG) */
const char *call_text(const struct call *c, const char *flag); /* the last given, else the default, else "" */
bool call_bool(const struct call *c, const char *flag);
int64_t call_int(const struct call *c, const char *flag);
/* Milliseconds. A bare number is seconds. */
int64_t call_duration(const struct call *c, const char *flag);
const struct strlist *call_list(const struct call *c, const char *flag); /* borrowed, empty when not given */
bool call_given(const struct call *c, const char *flag);
/* Has this verb such a flag at all? For what several verbs share. */
bool call_knows(const struct call *c, const char *flag);
/* Is it in the verb's own table? Then it is not the global one of that name: `set subject --user`. */
bool call_own_flag(const struct call *c, const char *flag);

/* Are there files, by --filename or --kustomize? */
bool call_has_files(const struct call *c);

/* ---- the cluster ---- */
/* The connection, opened when first needed. NULL: told, code set. */
struct client *call_client(struct call *c);
/* The namespace of the context or --namespace; NULL: told. */
const char *call_namespace(struct call *c);
/* What a word means; NULL: told ("the server doesn't have a resource type …"). Borrowed until the call ends. */
const struct kind *call_kind(struct call *c, const char *word);
/* What an object says of itself; NULL: told. */
const struct kind *call_kind_of(struct call *c, const char *api_version, const char *kind, struct err *e);
/* Discovery; NULL with `e`. */
const struct kinds *call_kinds(struct call *c, struct err *e);

/* One call; warnings are told. A status that is no success is a failure: its Status is kept in c->failure, to be told
 * by call_error(). */
int call_request(struct call *c, const struct client_request *rq, struct client_answer *out, struct err *e);
/* The same, one tree there and one back (both may be NULL). */
int call_json(struct call *c, const char *method, const char *path, const json_t *body, const char *type, json_t **out,
              struct err *e);

/* ---- failures ---- all return 1 and set the exit code to 1 */
/* "error: …" */
int call_fail(struct call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "error: …\nSee 'kubectl get -h' for help and examples" */
int call_usage(struct call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A verb that takes no words was given some? true: told. */
bool call_unexpected(struct call *c);
/* What went wrong, in kubectl's words: a refusal of the server from c->failure ("Error from server (NotFound): …"), a
 * server that is not there, anything else as "error: …". */
int call_error(struct call *c, const struct err *e);
/* The same with something in front of the message: `error when creating "f.yaml": `. */
int call_error_at(struct call *c, const char *before, const struct err *e);
/* The code of the last failure was the server's NotFound? */
bool call_not_found(const struct call *c);
/* The last refusal is none after all. */
void call_forget(struct call *c);

/* "pod", "deployment.apps": as names of objects begin. Appended. */
void call_label(const struct kind *k, struct buf *out);

/* ---- flags that many verbs share; rows of their tables ---- */
#define FLAGS_OUTPUT                                                                                                   \
    {"output", 'o', FLAG_TEXT, NULL,                                                                                   \
     "How to print it: json, yaml, name, go-template, jsonpath and their -file kinds"},                                \
        {"template", 0, FLAG_TEXT, NULL, "The template, or its file, of -o go-template and its kin"},                  \
        {"show-managed-fields", 0, FLAG_BOOL, NULL, "Keep metadata.managedFields in JSON and YAML"},                   \
    {                                                                                                                  \
        "allow-missing-template-keys", 0, FLAG_BOOL, "true", "What a template names and is not there prints nothing"   \
    }
#define FLAGS_FILES(what)                                                                                              \
    {"filename", 'f', FLAG_LIST, NULL, what}, {"recursive", 'R', FLAG_BOOL, NULL, "Folders below those of -f, too"},   \
    {                                                                                                                  \
        "kustomize", 'k', FLAG_TEXT, NULL, "A folder with a kustomization"                                             \
    }
#define FLAGS_SELECTOR                                                                                                 \
    {                                                                                                                  \
        "selector", 'l', FLAG_TEXT, NULL, "Labels: key=value, key!=value, key in (a,b), key, !key; with commas"        \
    }
#define FLAGS_FIELDS                                                                                                   \
    {                                                                                                                  \
        "field-selector", 0, FLAG_TEXT, NULL, "Fields: key=value, key!=value; with commas"                             \
    }
#define FLAGS_ALL_NAMESPACES                                                                                           \
    {                                                                                                                  \
        "all-namespaces", 'A', FLAG_BOOL, NULL, "In every namespace"                                                   \
    }
#define FLAGS_ALL                                                                                                      \
    {                                                                                                                  \
        "all", 0, FLAG_BOOL, NULL, "All of the kinds named, in the namespace"                                          \
    }
#define FLAGS_DRY_RUN                                                                                                  \
    {                                                                                                                  \
        "dry-run", 0, FLAG_TEXT, "none", "none, server (asks it, nothing is kept) or client (only printed)",           \
            "unchanged"                                                                                                \
    }
#define FLAGS_MANAGER(name)                                                                                            \
    {                                                                                                                  \
        "field-manager", 0, FLAG_TEXT, name, "Who owns the fields that are set"                                        \
    }
#define FLAGS_VALIDATE                                                                                                 \
    {                                                                                                                  \
        "validate", 0, FLAG_TEXT, "strict", "strict, warn or ignore: fields that the server does not know", "strict"   \
    }
#define FLAGS_CHUNK                                                                                                    \
    {                                                                                                                  \
        "chunk-size", 0, FLAG_INT, "500", "Ask for lists in pieces of so many; 0: whole"                               \
    }

enum dry_run { DRY_NONE, DRY_CLIENT, DRY_SERVER };
/* -1: told. */
int call_dry_run(struct call *c, enum dry_run *out);
/* --dry-run and --field-manager as a query: "?dryRun=All&fieldManager=kubectl-create". Starts with '?' or '&'. */
void call_query(struct buf *path, const char *key, const char *value);

#endif
