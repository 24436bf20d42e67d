/* go_time.h - private to api: RFC 3339 as Go's time.Parse reads it, with its refusals. */
#ifndef STOWAGE_API_GO_TIME_H
#define STOWAGE_API_GO_TIME_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GO_TIME_TEXT_LEN 40

/* Reads `s` and writes the canonical text: UTC, whole seconds; with `micro` six digits are asked for and kept. Else
 * BAD_REQUEST with Go's text ("parsing time \"yesterday\" as …"). */
int go_time_parse(const char *s, bool micro, char out[GO_TIME_TEXT_LEN], struct err *e);
/* The canonical text of a protobuf time. */
void go_time_text(int64_t seconds, int32_t nanos, bool micro, char out[GO_TIME_TEXT_LEN]);

#endif
