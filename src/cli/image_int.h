/* image_int.h - private to `stowage image`: how its answers are printed, and building from packages. */
#ifndef STOWAGE_CLI_IMAGE_INT_H
#define STOWAGE_CLI_IMAGE_INT_H

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>

void image_print_list(const json_t *images);
void image_print_catalogue(const json_t *rows);
void image_print_history(const json_t *steps);

/* -- image_deb.c -- */
struct deb_image {
    const char *name;                   /* of the image */
    struct strlist packages;            /* names, or .deb files */
    struct strlist command, env, ports; /* none: what the package suggests */
    const char *user;                   /* or NULL */
};
/* Puts the files of the packages, and of what they depend on, above a built-in userland: a `docker save` archive at
 * *out_path (new; the caller removes it). base: the userland's own archive, as an export gives it. */
int image_build_deb(const struct deb_image *spec, int base, char **out_path, struct err *e);

/* -- deb_packages.c -- */
struct deb_package {
    char *name, *file; /* owned; file: the .deb, or NULL: it is installed */
    char *provides;    /* owned; other names that it stands for, as the package lists them; or NULL */
};
struct deb_packages {
    struct deb_package *items;
    size_t len;
};
void deb_packages_release(struct deb_packages *p);
/* The packages asked for and all they need, as far as this machine has them; what it has not goes to `missing`. */
int deb_packages_find(const struct strlist *wanted, struct deb_packages *out, struct strlist *missing, struct err *e);
/* What a program prints. Returns new text, or NULL if it failed. */
char *output_of(const char *const *argv);
/* Starts a program; its output is read from the descriptor, which is closed with run_end(). -1: no such program. */
int run_begin(const char *const *argv, int *out_pid);
int run_end(int fd, int pid); /* its exit status */

#endif
