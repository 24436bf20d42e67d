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

const struct layer_def *app_layer_by_id(const char *id); /* content_apps.c */

#endif
