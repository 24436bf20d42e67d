/* base64.h - standard base64 with padding, as Go's encoding/base64: line ends inside are skipped. */
#ifndef STOWAGE_API_BASE64_H
#define STOWAGE_API_BASE64_H

#include "base/buf.h"

#include <stddef.h>

/* Appends the bytes to `out`. -1, and *out_at the offset that Go's error names, if `s` is not base64. */
int base64_decode(const char *s, size_t n, struct buf *out, size_t *out_at);
/* Appends the text. */
void base64_encode(const void *data, size_t n, struct buf *out);

#endif
