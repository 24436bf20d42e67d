/* manage.h - images as a person handles them: import, pull, list, look into, tag, remove, export.
 *
 * THREADS: any; these block, for as long as disks and registries take. Errors are for the user. */
#ifndef STOWAGE_IMAGES_MANAGE_H
#define STOWAGE_IMAGES_MANAGE_H

#include "base/str.h"
#include "images/image.h"

#include <jansson.h>

/* A `docker save` archive, an OCI archive (both may be gzipped) or an OCI layout directory. `name` (may be NULL) is
 * given to the one image in it, beside the names it brings. Adds "NAME" or the id of each image to *out. */
int images_import(struct images *im, const char *path, const char *name, struct strlist *out, struct err *e);
/* From the registry that the name says, which must be on this machine: "localhost:5000/team/app:1". */
int images_pull(struct images *im, const char *ref, struct strlist *out, struct err *e);
/* Writes an archive that `docker load` and images_import() take. Built-in images are made real by it. */
int images_export(struct images *im, const char *const *refs, int fd, struct err *e);

/* Every image that is here: [{"Id", "RepoTags", "RepoDigests", "Size", "Added", "LastUsed" (seconds), "Origin"}], the
 * one used last first; and what the catalogue has: [{"Repository", "Tags", "Size"}]. Return new. */
json_t *images_list(struct images *im);
json_t *images_catalogue(void);
/* What `docker image inspect` and `docker history` show. Returns new. A reference is a name or (the beginning of) an
 * id; a built-in image need not be used before. */
int images_inspect(struct images *im, const char *ref, json_t **out, struct err *e);
int images_history(struct images *im, const char *ref, json_t **out, struct err *e);
int images_tag(struct images *im, const char *ref, const char *name, struct err *e);
/* Takes a name away, and with the last one the image. BUSY while it is used, unless `force`. Adds "Untagged: …" and
 * "Deleted: …" lines to *out. */
int images_remove(struct images *im, const char *ref, bool force, image_used_fn used, void *arg, struct strlist *out,
                  struct err *e);

/* "docker.io/library/nginx:1" -> "nginx:1", as docker writes names. Borrowed from `name`. */
const char *image_name_familiar(const char *name);

#endif
