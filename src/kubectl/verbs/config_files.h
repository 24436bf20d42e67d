/* config_files.h - the kubeconfig files as they are, to be shown merged and to be changed where a thing stands.
 *
 * Of several files the first that has a name wins; what is changed is changed there, what is new goes to the first file
 * that exists, else to the last (clientcmd's rules). THREADS: any. */
#ifndef STOWAGE_KUBECTL_VERBS_CONFIG_FILES_H
#define STOWAGE_KUBECTL_VERBS_CONFIG_FILES_H

#include "kubectl/call.h"

struct config_file {
    char *path;
    json_t *tree; /* owned; an empty config when there is no such file */
    bool exists, changed;
};
struct config_files {
    struct config_file *items; /* owned */
    size_t len;
};
/* At least one, whether there is such a file or not. */
int config_files_load(struct call *c, struct config_files *out, struct err *e);
void config_files_release(struct config_files *f);
#define _auto_config_files_ __attribute__((cleanup(config_files_release)))
/* What was changed is written, each file at once or not at all. */
int config_files_save(struct config_files *f, struct err *e);

/* list: "clusters", "users", "contexts"; inside: "cluster", "user", "context". The file that has the name, and the
 * member; NULL when none has it. */
struct config_file *config_find(const struct config_files *f, const char *list, const char *name, json_t **out_row);
/* Where what is new goes. */
struct config_file *config_default(const struct config_files *f);
/* All of them joined. Returns new. */
json_t *config_merged(const struct config_files *f);
/* "" when it is not set. Borrowed. */
const char *config_current(const struct config_files *f);
/* The file that tells the current context, else the default one. */
struct config_file *config_of_current(const struct config_files *f);
/* The inner object of a name, made in the default file when there is none. */
json_t *config_make(struct config_files *f, const char *list, const char *inside, const char *name, bool *out_new);

#endif
