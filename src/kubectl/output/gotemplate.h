/* gotemplate.h - -o go-template: what of Go's text/template is used with kubectl.
 *
 * Actions: {{.a.b}}, {{$x}}, {{$x := …}}, pipelines, parentheses, if/else if/else, range (with variables, else), with,
 * comments, {{- trimming -}}. Functions: and or not len index slice print printf println eq ne lt le gt ge, and
 * kubectl's exists, base64decode. What else there is (define, template, block, break, html, js) is said to be not
 * known. THREADS: pure. */
#ifndef STOWAGE_KUBECTL_OUTPUT_GOTEMPLATE_H
#define STOWAGE_KUBECTL_OUTPUT_GOTEMPLATE_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

/* Appends what the template gives. missing_ok: what is not there is "<no value>". BAD_REQUEST: what is wrong with it.
 */
int gotemplate_print(const char *text, const json_t *root, bool missing_ok, struct buf *out, struct err *e);

#endif
