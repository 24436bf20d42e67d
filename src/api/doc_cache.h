/* doc_cache.h - private to api: documents that are built once and kept. THREADS: safe. */
#ifndef STOWAGE_API_DOC_CACHE_H
#define STOWAGE_API_DOC_CACHE_H

#include "api/openapi.h"
#include "base/buf.h"

/* Writes the document named by `arg`; false if there is none. May ask for other documents. */
typedef bool doc_builder(const char *arg, struct buf *out);

/* The document `kind` + `arg` ("v3", "api/v1"), built on first use. data NULL if there is none. */
struct doc doc_get(const char *kind, const char *arg, doc_builder *build);

#endif
