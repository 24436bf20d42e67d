/* gzip_int.h - compressing answers. */
#ifndef STOWAGE_APISERVER_GZIP_INT_H
#define STOWAGE_APISERVER_GZIP_INT_H

#include "base/buf.h"

/* Replaces the bytes by their gzip form (fastest level: the clients are near). */
void gzip_buf(struct buf *b);

#endif
