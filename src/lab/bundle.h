/* bundle.h - what `stowage lab submit` makes: a lab's attempt in one signed file.
 *
 * {"stowage": "submission/1", "payload": "<JSON text>", "key": "<PEM>", "signature": "<base64>"}. The payload's text is
 * what is signed, byte for byte, by Ed25519 with a key that is made at its first use in a data directory. Its members:
 * lab, seed, student, time, answers {check: text}, log [{time, step, line, code}], objects [..], points, of.
 *
 * WHAT IT PROVES: that nothing was changed since it was signed, and that two bundles come from the same key. Not who
 * did the lab, nor that the log is what happened: the key is on the student's own machine. So grading believes neither
 * score nor objects: it plays the log again. THREADS: any. */
#ifndef STOWAGE_LAB_BUNDLE_H
#define STOWAGE_LAB_BUNDLE_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

/* The key's file is made if absent, for its owner only. Appends the bundle. */
int bundle_sign(const char *key_file, const json_t *payload, struct buf *out, struct err *e);
/* Does the text begin like one? */
bool bundle_is(const char *text, size_t len);
/* The payload, with "key": the SHA-256 of the public key, in hex. CORRUPT: not what was signed. Returns new in *out. */
int bundle_open(const char *text, size_t len, json_t **out, struct err *e);

#endif
