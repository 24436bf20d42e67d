/* layer.h - an image layer, from its archive to a directory that overlay can stack.
 *
 * Markers of deletion in the archive (".wh.name", ".wh..wh..opq") become what overlay understands: a character device
 * 0/0, and the attribute trusted.overlay.opaque. Source: OCI image-spec layer.md; kernel Documentation/filesystems/
 * overlayfs. */
#ifndef STOWAGE_SYS_LAYER_H
#define STOWAGE_SYS_LAYER_H

#include "base/err.h"
#include "base/stream.h"

#include <stddef.h>
#include <stdint.h>

struct layer_result {
    char diff_id[SHA256_TEXT_LEN]; /* digest of the archive, decompressed */
    int64_t bytes, files;          /* unpacked */
};

struct layer_job {
    int dir;           /* where it goes, empty; -1 = nowhere: the archive is read and judged only */
    const int *lowers; /* directories of the layers below, the uppermost first */
    size_t lower_count;
};

/* Unpacks the archive (`s` digests); all its paths stay below `dir`, whatever it says. What may not be is refused with
 * a text that names the entry: INVALID ("..", a device, what is written through a link), CORRUPT, UNSUPPORTED,
 * TOO_LARGE, NO_SPACE. What is there by then is the caller's to remove. Needs root, unless nothing is written. */
int layer_apply(const struct layer_job *job, struct stream *s, struct layer_result *out, struct err *e);

/* Removes a layer's directory; it may hold anything. */
int layer_remove(const char *path, struct err *e);

#endif
