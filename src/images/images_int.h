/* images_int.h - private to src/images: reference parts, the catalogue's rows, layers, records, blobs. */
#ifndef STOWAGE_IMAGES_IMAGES_INT_H
#define STOWAGE_IMAGES_IMAGES_INT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "images/image.h"

#include <jansson.h>
#include <pthread.h>
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
    bool open;            /* every tag exists that does not say of itself that it is none */
};
/* Does the tag exist? Then *out_version is the version it stands for (returns new). */
bool tag_find(const struct tag_rule *rule, const char *tag, char **out_version);

/* -- unknown.c -- */
enum unknown { UNKNOWN_STUB, UNKNOWN_DENIED, UNKNOWN_NO_TAG, UNKNOWN_NO_HOST, UNKNOWN_LOCAL };
/* What becomes of an image that is neither here nor in the catalogue. */
enum unknown unknown_judge(const struct image_name *n);
/* Does the name, or the tag, say of itself that it is not meant to be ("nosuch", "wrongtag")? */
bool unknown_tells(const char *text);
/* The text of the failure; returns -1. */
int unknown_refuse(enum unknown why, const struct image_name *n, struct err *e);

/* -- layers.c -- */
/* One file of a layer; the type is in mode (S_IFDIR, S_IFREG, S_IFLNK: text is the target). "@VERSION@" in a text is
 * replaced. LAYER_GUEST as text means our static guest program. */
struct layer_file {
    const char *path; /* "etc/passwd" */
    mode_t mode;
    const char *text;
};
extern const char LAYER_GUEST[];
/* As text: a program of this machine, copied if it needs no libraries: LAYER_PROGRAM "kubectl". Without one its place
 * is taken by a script that says so. */
#define LAYER_PROGRAM "\2"
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
    const char *entrypoint[6], *cmd[4], *env[6];
    const char *workdir, *user;
    int64_t size;
    const char *volume, *stop_signal; /* or NULL */
    const char *port;                 /* "80/tcp", or NULL */
};
/* The next row of the repository after `after` (NULL = the first), or NULL. */
const struct image_def *catalogue_find(const char *repository, const struct image_def *after);
const struct image_def *catalogue_row(size_t i); /* NULL after the last */
const struct image_def *catalogue_app(size_t i); /* catalogue_apps.c; the same for its rows */
/* What runs in an unknown image's place. */
extern const struct image_def stub_def;

/* -- builtin.c: a catalogue's row, made -- */
/* The row and version that a name stands for. False: the repository has no such tag. */
bool builtin_find(const struct image_name *n, const struct image_def **out_def, char **out_version);
json_t *builtin_config(const struct image_def *def, const char *version); /* as an OCI config; returns new */
/* Makes its layers; adds their names below <dir>/layers. */
int builtin_layers(struct images *im, const struct image_def *def, const char *tag, const char *version,
                   struct strlist *out, struct err *e);
char *builtin_digest(const char *canonical); /* "sha256:…"; returns new */

/* -- layer_tar.c -- */
/* A layer's directory as an archive, always the same bytes for the same files: a blob, whose digest is its diff id. */
int layer_tar(struct images *im, const char *name, char **out_digest, struct err *e);

/* -- guest_data.c -- */
extern const unsigned char guest_program[];
extern const uint64_t guest_program_size;
extern const char guest_digest[]; /* SHA-256, as text */

/* -- records.c: which images are here -- */
struct record {
    struct record *next;
    char *id;                     /* owned; "sha256:…" of its config */
    struct strlist names, ids;    /* "docker.io/library/nginx:1.25"; "docker.io/library/nginx@sha256:…" */
    struct strlist layers, blobs; /* names below layers/, lowest first; digests of what is kept for export */
    int64_t size, added, used;    /* seconds since 1970 */
    bool builtin, stub;
    unsigned leases; /* struct images that live */
    json_t *config;  /* owned; OCI config; NULL = of the catalogue */
};
struct images {
    char *dir, *layers, *blobs, *temp; /* owned; directories */
    struct images_conf conf;
    /* Read by whoever makes or uses layers, written by whoever removes any. Before mu. */
    pthread_rwlock_t gate;
    pthread_mutex_t mu; /* guards the records */
    struct record *records;
};
int64_t images_now(const struct images *im);
int records_load(struct images *im, struct err *e);
int records_save_locked(struct images *im, struct err *e);
void record_free(struct record *r);
/* By name, repository@digest, id or the beginning (12 or more) of an id; NULL. */
struct record *record_find_locked(struct images *im, const char *canonical_or_id);
/* As above, from what a user typed. */
struct record *record_need_locked(struct images *im, const char *ref, struct err *e);
/* Takes `r`; one with the same id gets its names. A name belongs to one image: it is taken from others. */
void record_add_locked(struct images *im, struct record *take_r);
void record_info(const struct record *r, struct image_info *out); /* borrows; uses the lists' spare room */
const char *const *strlist_vector(struct strlist *l);             /* NULL-terminated, borrowed from it */

/* -- blobs.c: content by digest, as an OCI layout keeps it -- */
struct blob_writer {
    int fd;
    char *path; /* owned */
    struct sha256 sha;
    int64_t bytes, max_bytes;
};
#define _auto_blob_ __attribute__((cleanup(blob_abort)))
int blob_begin(struct images *im, int64_t max_bytes, struct blob_writer *out, struct err *e);
int blob_write(struct blob_writer *w, const void *data, size_t n, struct err *e);
/* Gives it its name. want: the digest it must have ("sha256:…"), or NULL. out_digest: new text, may be NULL. */
int blob_commit(struct images *im, struct blob_writer *w, const char *want, char **out_digest, struct err *e);
void blob_abort(struct blob_writer *w); /* also after a commit */
int blob_put(struct images *im, const void *data, size_t n, char **out_digest, struct err *e);
bool digest_is_sha256(const char *digest);
char *blob_path(const struct images *im, const char *digest);   /* returns new */
int64_t blob_size(const struct images *im, const char *digest); /* -1: it is not there */
/* The blob as JSON, bounded. Returns new, or NULL with `e`. */
json_t *blob_document(const struct images *im, const char *digest, struct err *e);
/* One that is an object. */
json_t *blob_json(const struct images *im, const char *digest, struct err *e);
/* Removes what no record names. With the gate held for writing, and mu. */
void blobs_sweep(struct images *im);
void images_sweep(struct images *im); /* manage.c: takes both */

/* -- add.c: a manifest whose blobs are all here becomes an image -- */
struct image_add {
    char *manifest;       /* owned; digest */
    struct strlist names; /* canonical */
    struct strlist ids;   /* "repository@sha256:…" */
};
void image_add_release(struct image_add *a);
int image_add(struct images *im, const struct image_add *a, struct err *e); /* gate held for reading */
/* Of a manifest or an index: the digest of the manifest for this machine (borrowed from `doc`), or NULL: it is one. */
int manifest_choose(const json_t *doc, const char **out_digest, struct err *e);
const char *machine_arch(void);                                 /* "amd64" */
int64_t layer_bytes(const struct images *im, const char *name); /* of its files; 0 if it is not there */
/* Removes an unpacked layer that nobody stacks. With the gate held for writing. */
void layer_drop(struct images *im, const char *name);
/* The names of an image's chain of layers, from its config. */
void chain_names(const json_t *diff_ids, struct strlist *out);

#endif
