/* image.h - image name -> layers and config, as the kubelet asks. What verbs do with images is in manage.h.
 *
 * An image comes from one of three places, in this order: it was imported or pulled; it is in the built-in catalogue;
 * it is unknown, and then a stub with a shell runs in its place, or it fails as on a real cluster (unknown.c says
 * which). Source of the reference grammar and the error texts: containerd/distribution reference, kubelet image
 * manager. */
#ifndef STOWAGE_IMAGES_IMAGE_H
#define STOWAGE_IMAGES_IMAGE_H

#include "base/clock.h"
#include "base/err.h"
#include "sys/machine.h"

#include <stdbool.h>
#include <stdint.h>

struct images;

struct image {
    const char *ref;           /* as the pod names it */
    const char *canonical;     /* "docker.io/library/nginx:1.7.9" */
    const char *image_id;      /* "docker.io/library/nginx@sha256:…" as containerStatuses.imageID */
    int64_t size;              /* bytes */
    const char *const *layers; /* NULL-terminated absolute host directories, lowest first */
    const char *const *entrypoint, *const *cmd, *const *env, *const *volumes; /* NULL-terminated */
    const char *workdir, *user;                                               /* "/" and "" by default */
    const char *stop_signal;                                                  /* "SIGQUIT", "3", or "" */
    bool already_present;                                                     /* was unpacked before this call */
    bool stub; /* nobody knows this image: its entrypoint runs any command that it has, and else just stays */
};

struct images_conf {
    const struct clock *clock; /* borrowed; NULL = the real one */
    struct machine *machine;   /* borrowed; unpacks layers; NULL = this process does (it must be root then) */
    bool simulated;            /* nothing is unpacked: images are only remembered */
    bool fail_unknown;         /* no stubs */
};

/* dir: the layer cache (below the data directory). Returns new in *out. */
int images_open(const char *dir, struct images **out, struct err *e);
/* Before the first use; without it the defaults hold. */
void images_configure(struct images *im, const struct images_conf *conf);
void images_close(struct images *im);
/* Finds and unpacks on first use (blocking; call on a worker). Returns new in *out (image_free): as long as it lives
 * the image is not removed. Errors: BAD_REQUEST = InvalidImageName ("couldn't parse image name …"); NOT_FOUND = the
 * text of ErrImagePull, as containerd words it. */
int images_resolve(struct images *im, const char *ref, struct image **out, struct err *e);
/* Was it unpacked before? (imagePullPolicy: Never, and what events say.) False for names that do not parse. */
bool images_present(struct images *im, const char *ref);
void image_free(struct image *i);
/* Would it be here without an import? Of the catalogue, or of a registry on this machine. Else -1: BAD_REQUEST (no
 * name of an image), NOT_FOUND, with the nearest name there is. */
int image_at_hand(const char *ref, struct err *e);
/* "nginx" -> "docker.io/library/nginx:latest"; BAD_REQUEST when it does not parse. Returns new text. */
int image_normalize(const char *ref, char **out, struct err *e);

/* -- what is there, and making room -- */
struct image_info {
    const char *id;                        /* "sha256:…" */
    const char *const *names, *const *ids; /* NULL-terminated: "docker.io/library/nginx:1.25"; "…/nginx@sha256:…" */
    int64_t size;                          /* bytes; of a built-in one what the real one has */
    int64_t added, used;                   /* seconds since 1970 */
    bool builtin, stub;
};
/* Is the image used by a container? Asked with our lock held: it may not call back. */
typedef bool (*image_used_fn)(const struct image_info *info, void *arg);

/* Visits those that are unpacked. The texts are borrowed for the call, which may not call back. */
void images_each(struct images *im, void (*visit)(const struct image_info *info, void *arg), void *arg);
/* Image garbage collection, one step: removes the image whose last use is longest ago, of those that nobody uses and
 * that were not used for min_age_s seconds. Its name (new text) in *out_name. False: there is none. */
bool images_remove_oldest(struct images *im, int64_t min_age_s, image_used_fn used, void *arg, char **out_name);

#endif
