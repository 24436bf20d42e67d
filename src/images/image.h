/* image.h - image name -> layers and config. Built-in catalogue here; OCI import later stands behind the same calls.
 * Source of the reference grammar and the error texts: containerd/distribution reference, kubelet image manager. */
#ifndef STOWAGE_IMAGES_IMAGE_H
#define STOWAGE_IMAGES_IMAGE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct images;

struct image {
    const char *ref;           /* as the pod names it */
    const char *canonical;     /* "docker.io/library/nginx:1.7.9" */
    const char *image_id;      /* "docker.io/library/nginx@sha256:…" as containerStatuses.imageID */
    int64_t size;              /* bytes */
    const char *const *layers; /* NULL-terminated absolute host directories, lowest first */
    const char *const *entrypoint, *const *cmd, *const *env; /* NULL-terminated */
    const char *workdir, *user;                              /* "/" and "" by default */
    bool already_present;                                    /* was unpacked before this call */
};

/* dir: the layer cache (below the data directory). Returns new in *out. */
int images_open(const char *dir, struct images **out, struct err *e);
void images_close(struct images *im);
/* Finds and unpacks on first use (blocking; call on a worker). Returns new in *out (image_free). Errors: BAD_REQUEST =
 * InvalidImageName ("couldn't parse image name …"); NOT_FOUND = ErrImagePull text as an offline containerd gives it,
 * plus how to import. */
int images_resolve(struct images *im, const char *ref, struct image **out, struct err *e);
/* Was it unpacked before? (imagePullPolicy: Never, and what events say.) False for names that do not parse. */
bool images_present(struct images *im, const char *ref);
void image_free(struct image *i);
/* "nginx" -> "docker.io/library/nginx:latest"; BAD_REQUEST when it does not parse. Returns new text. */
int image_normalize(const char *ref, char **out, struct err *e);
/* Visits the catalogue: canonical names (for node.status.images). The texts are borrowed for the call. */
void images_each(struct images *im, void (*visit)(const char *canonical, int64_t size, void *arg), void *arg);

#endif
