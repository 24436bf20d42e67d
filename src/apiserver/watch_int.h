/* watch_int.h - what watch.c (the stream) and watch_event.c (the text of events) share. */
#ifndef STOWAGE_APISERVER_WATCH_INT_H
#define STOWAGE_APISERVER_WATCH_INT_H

#include "apiserver/list_int.h"
#include "apiserver/view_int.h"

/* Turns changes into lines of JSON for one watcher. */
struct watch_writer {
    const struct resource *res;
    const struct list_opts *opts; /* selectors */
    struct wanted wanted;
    enum include_object include;
    const struct clock *clock;
    bool columns_sent;
    struct buf *out;
};

/* An object that was there when the watch began. */
void watch_write_initial(struct watch_writer *w, const struct sobj *obj);
/* A change, as the selectors see it: entering is ADDED, leaving is DELETED with the last state that matched. */
void watch_write_change(struct watch_writer *w, const struct watch_event *ev);
/* `initial_end`: carries the annotation that ends a streamed list. */
void watch_write_bookmark(struct watch_writer *w, uint64_t rv, bool initial_end);
void watch_write_error(struct watch_writer *w, const struct err *e);

#endif
