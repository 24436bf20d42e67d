/* content_int.h - how the files of a built-in layer are written down: rows of struct layer_file. */
#ifndef STOWAGE_IMAGES_CONTENT_INT_H
#define STOWAGE_IMAGES_CONTENT_INT_H

#include "images/images_int.h"

#include <sys/stat.h>

#define DIR_(path)                                                                                                     \
    {                                                                                                                  \
        path, S_IFDIR | 0755, NULL                                                                                     \
    }
#define FILE_(path, text)                                                                                              \
    {                                                                                                                  \
        path, S_IFREG | 0644, text                                                                                     \
    }
#define SCRIPT_(path, text)                                                                                            \
    {                                                                                                                  \
        path, S_IFREG | 0755, text                                                                                     \
    }
#define LINK_(path, target)                                                                                            \
    {                                                                                                                  \
        path, S_IFLNK | 0777, target                                                                                   \
    }
#define GUEST_(path)                                                                                                   \
    {                                                                                                                  \
        path, S_IFREG | 0755, LAYER_GUEST                                                                              \
    }

#define LAYER(id, applets, files)                                                                                      \
    {                                                                                                                  \
        id, applets, files, ARRAY_LEN(files)                                                                           \
    }

/* Looks for a name in the search list until it is found, also one with dots, as bind's nslookup and that of an old
 * busybox do; today's busybox does not. `when`: a pattern of shell's case, of the versions that do. */
#define NSLOOKUP_(when)                                                                                                \
    "#!/bin/sh\n# nslookup, which looks in the search list until the name is found, also for one with "                \
    "dots.\nreal=nslookuq\n"                                                                                           \
    "busybox --list | grep -qx $real || real=nslookup\n"                                                               \
    "case @VERSION@ in " when ") ;; *) exec busybox $real \"$@\" ;; esac\n"                                            \
    "case $1 in -*|*.|*.cluster.local|'') ;; *)\n"                                                                     \
    "    for domain in $(sed -n 's/^search //p' /etc/resolv.conf); do\n"                                               \
    "        if out=$(busybox $real \"$1.$domain\" $2 2>&1); then echo \"$out\"; exit 0; fi\n"                         \
    "    done ;;\nesac\nexec busybox $real \"$@\"\n"

const struct layer_def *app_layer_by_id(const char *id); /* content_apps.c */

#endif
