/* reply_int.h - answers. Each function sends one and ends the request. */
#ifndef STOWAGE_APISERVER_REPLY_INT_H
#define STOWAGE_APISERVER_REPLY_INT_H

#include "apiserver/request_int.h"

#define TYPE_JSON "application/json"
#define TYPE_YAML "application/yaml"
#define TYPE_TEXT "text/plain; charset=utf-8"

struct reply_header {
    const char *name, *value;
};
struct reply {
    unsigned http;
    const char *type;        /* NULL: no Content-Type */
    const char *cache;       /* Cache-Control; NULL: "no-cache, private" */
    const char *etag;        /* without quotes, or NULL */
    const char *vary;        /* or NULL */
    const char *location;    /* or NULL */
    const char *retry_after; /* or NULL */
    const char *expires;     /* or NULL */
    bool nosniff;
    const struct reply_header *more; /* ends with name NULL; or NULL */
    bool sized;                      /* reply_stream(): it is known how long the body is: `length` */
    uint64_t length;
};
/* The text is taken. */
void reply_buf(struct request *rq, const struct reply *r, struct buf *take);
/* The text must live as long as the server. */
void reply_static(struct request *rq, const struct reply *r, const char *text, size_t len);
void reply_text(struct request *rq, unsigned http, const char *text);
/* "404 page not found", as Go's mux says it. */
void reply_no_page(struct request *rq);

/* A tree or an object in the form and encoding the client wants (Table, PartialObjectMetadata, YAML, indented). */
void reply_tree(struct request *rq, unsigned http, json_t *take);
void reply_object(struct request *rq, unsigned http, const struct sobj *obj);
/* Ready JSON text (compact, without newline) that is already in the wanted form. */
void reply_json(struct request *rq, unsigned http, const struct wanted *w, struct buf *take);

/* A Status, in whatever encoding the client can read. */
void reply_status(struct request *rq, json_t *take_status);
void reply_err(struct request *rq, const struct err *e);
void reply_answer(struct request *rq, struct reg_answer *ans); /* what the registry said; released by its owner */
/* Error texts that are the same everywhere. */
void reply_not_found(struct request *rq); /* "the server could not find the requested resource" */
void reply_no_method(struct request *rq); /* 405 */
void reply_not_acceptable(struct request *rq, const char *const *types); /* the router's 406, naming the types */
void reply_not_negotiable(struct request *rq);                           /* the negotiator's 406 */
void reply_unsupported_media(struct request *rq);                        /* 415 for bodies */
void reply_plain_error(struct request *rq, const char *message);         /* 500 without a reason: a bare Go error */

/* A body that comes piece by piece; the headers go out at once. Takes the reader's argument. */
void reply_stream(struct request *rq, const struct reply *r, MHD_ContentReaderCallback read, void *take_arg,
                  MHD_ContentReaderFreeCallback free_arg);

/* Negotiates for an object answer; false: the 406 has been sent. */
bool reply_negotiate(struct request *rq, unsigned offers, struct wanted *out);
/* Does the client want indented JSON (?pretty, curl, a browser)? */
bool reply_pretty(const struct request *rq);

#endif
