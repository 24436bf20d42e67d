/* database.h - the databases of the guest, as data. */
#ifndef STOWAGE_GUEST_DATABASE_H
#define STOWAGE_GUEST_DATABASE_H

#include <stdbool.h>
#include <stddef.h>

struct database_product {
    const char *program, *version;
    const char *dir, *dir_env; /* where its data are; a variable that says otherwise, or NULL */
    const char *mark;          /* a file that is there once it began */
    const char *files[8], *dirs[4];
    const char *wants[6], *refusal;  /* one of these variables must be set before it begins; what it says otherwise */
    const char *password, *database; /* variables: the superuser's password; a database to make; or NULL */
    int port;
    bool must_be_empty;
    const char *ready;
};
extern const struct database_product database_products[];
extern const size_t database_product_count;
const struct database_product *database_product(const char *program);

#endif
