/* accept_int.h - what the client wants to read and what it sends: Accept and Content-Type. */
#ifndef STOWAGE_APISERVER_ACCEPT_INT_H
#define STOWAGE_APISERVER_ACCEPT_INT_H

#include "api/decode.h"

#include <stdbool.h>

enum form {
    FORM_OBJECT,       /* as it is */
    FORM_TABLE,        /* meta.k8s.io Table */
    FORM_PARTIAL,      /* PartialObjectMetadata */
    FORM_PARTIAL_LIST, /* PartialObjectMetadataList */
    FORM_DISCOVERY,    /* aggregated discovery */
};
enum encoding { ENCODE_JSON, ENCODE_YAML };

struct wanted {
    enum form form;
    enum encoding encoding;
    const char *version; /* of the form: "v1", "v1beta1", "v2", "v2beta1"; "" for FORM_OBJECT */
    bool pretty;         /* asked for in the Accept header itself */
};

/* What an endpoint can give beyond plain objects. */
enum offer {
    OFFER_TABLE = 1 << 0,
    OFFER_PARTIAL = 1 << 1,
    OFFER_DISCOVERY = 1 << 2,
    OFFER_NO_YAML = 1 << 3, /* watches and discovery documents come in JSON only */
};

/* The best clause that can be served. -1: none (406). An empty header means JSON. */
int accept_negotiate(const char *header, unsigned offers, struct wanted *out);
/* Does the header name any of these types (parameters aside), or everything? The first, coarse look of the real router.
 */
bool accept_names(const char *header, const char *const *types);

/* The media type of a body ("" or NULL: JSON). -1 if it is none that can be decoded. */
int content_media(const char *header, enum media *out);
/* Is it this type, parameters and case aside? */
bool content_is(const char *header, const char *type);

#endif
