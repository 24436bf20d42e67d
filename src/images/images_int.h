/* images_int.h - private to src/images: reference parts, the catalogue's rows, layers. */
#ifndef STOWAGE_IMAGES_IMAGES_INT_H
#define STOWAGE_IMAGES_IMAGES_INT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* -- names.c -- */
struct image_name {
    char *domain; /* owned; "docker.io" */
    char *path;   /* owned; "library/nginx" */
    char *tag;    /* owned; "latest"; NULL when only a digest is given */
    char *digest; /* owned; "sha256:…" or NULL */
};
#define _auto_name_ __attribute__((cleanup(image_name_release)))
void image_name_release(struct image_name *n);
int image_name_parse(const char *ref, struct image_name *out, struct err *e);
char *image_name_text(const struct image_name *n); /* returns new, canonical */

/* -- tags.c -- */
/* Which tags of a repository exist, as data. */
struct tag_rule {
    const char *names;    /* "latest=1.27.3 stable=1.26.2": other names of a version */
    const char *versions; /* "1.7:12 1.8:1": 1.7, 1.7.0 … 1.7.12, 1.8, 1.8.0, 1.8.1 */
    const char *suffixes; /* "alpine slim": what may follow after '-' (may be repeated) */
    bool any;             /* whatever looks like a version exists */
};
/* Does the tag exist? Then *out_version is the version it stands for (returns new). */
bool tag_find(const struct tag_rule *rule, const char *tag, char **out_version);

/* -- layers.c -- */
/* One file of a layer; the type is in mode (S_IFDIR, S_IFREG, S_IFLNK: text is the target). "@VERSION@" in a text is
 * replaced. LAYER_GUEST as text means our static guest program. */
struct layer_file {
    const char *path; /* "etc/passwd" */
    mode_t mode;
    const char *text;
};
extern const char LAYER_GUEST[];
enum layer_applets { APPLETS_NONE, APPLETS_IN_BIN, APPLETS_SPREAD };
struct layer_def {
    const char *id;
    enum layer_applets applets; /* busybox with a link for each of its applets */
    const struct layer_file *files;
    size_t count;
};
/* Makes the layer below `dir` unless it is there; returns its path (new). *out_made tells which. */
int layer_make(const char *dir, const struct layer_def *def, const char *version, char **out_path, bool *out_made,
               struct err *e);
/* Takes from `copy`, a copy of busybox for that layer, the applets that the layer has files for. */
int applets_shadow(int copy, const char *busybox, const struct layer_def *def, struct err *e); /* applets.c */
const struct layer_def *layer_by_id(const char *id);                                           /* content.c */

/* -- catalogue.c -- */
struct image_def {
    const char *repository; /* "docker.io/library/nginx" */
    const struct tag_rule *tags;
    const char *os, *os_version; /* the lowest layer; os_version NULL = the tag's */
    const char *app;             /* the layer above, or NULL */
    const char *entrypoint[4], *cmd[4], *env[6];
    const char *workdir, *user;
    int64_t size;
};
/* The next row of the repository after `after` (NULL = the first), or NULL. */
const struct image_def *catalogue_find(const char *repository, const struct image_def *after);
const struct image_def *catalogue_rows(size_t *out_count);

/* -- guest_data.c -- */
extern const unsigned char guest_program[];
extern const uint64_t guest_program_size;

#endif
