/* watch_source_int.h - what a watch tells: the state it begins with, changes, bookmarks, its end; as lines of JSON.
 *
 * Carried by a chunked answer (watch.c) or a WebSocket (stream/watch_ws.c). THREADS: one at a time; notify comes on
 * any. */
#ifndef STOWAGE_APISERVER_WATCH_SOURCE_INT_H
#define STOWAGE_APISERVER_WATCH_SOURCE_INT_H

#include "apiserver/watch_int.h"

struct watch_source {
    struct apiserver *srv;
    struct list_opts opts;
    struct watch_writer writer;
    struct buf out;           /* lines that are to be sent; the carrier empties it */
    struct watch *watch;      /* owned; NULL if it could not begin */
    struct snapshot *initial; /* owned; NULL once written */
    struct sobj *last;        /* owned: the last one of initial that was written */
    const char *ns;           /* NULL: all; owned copy */
    uint64_t after_rv;
    bool from_state; /* the state comes first */
    bool ended;
    int64_t ends_ms, bookmark_ms;
};

/* As the request asks. -1: the refusal has been sent, and there is nothing to release. Must not move afterwards. */
int watch_source_init(struct watch_source *s, struct request *rq);
/* From now on notify(arg) is called when there is something to fill. */
void watch_source_begin(struct watch_source *s, void (*notify)(void *arg), void *arg);
/* Appends what there is to `out`, some 64 KiB at a time. Nothing: wait for notify, or for the deadline. */
void watch_source_fill(struct watch_source *s);
int64_t watch_source_deadline(const struct watch_source *s); /* waker_now_ms() then */
void watch_source_release(struct watch_source *s);

#endif
