/* spdy.h - SPDY/3.1 as moby/spdystream (kubectl, kubelets) speaks it, either side: frames, header blocks, streams.
 *
 * No flow control (that peer has none), no SETTINGS. Bytes go in through spdy_input() and out through the `send`
 * function, so the same code runs on a socket and inside a WebSocket tunnel. Streams are opened by clients only.
 * Source: SPDY draft 3.1; facts of spdystream. THREADS: one at a time. */
#ifndef STOWAGE_BASE_SPDY_H
#define STOWAGE_BASE_SPDY_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

#define SPDY_DICTIONARY_LEN 1423
#define SPDY_FRAME_MAX      (1 << 20) /* larger frames end the connection */
#define SPDY_HEADERS_MAX    16
#define SPDY_BLOCK_MAX      16384 /* inflated header block */
#define SPDY_RST_PROTOCOL   1
#define SPDY_RST_CANCEL     5

extern const unsigned char spdy_dictionary[SPDY_DICTIONARY_LEN];

struct spdy_header {
    const char *name, *value;
};
struct spdy_headers {
    struct spdy_header items[SPDY_HEADERS_MAX];
    size_t len;
    struct buf text; /* what items point into */
};
const char *spdy_header(const struct spdy_headers *h, const char *name); /* NULL if absent */

struct spdy_events {
    /* A client's stream. True accepts (the empty SYN_REPLY is sent), false resets it. NULL: this side is the client. */
    bool (*open)(void *arg, uint32_t id, const struct spdy_headers *headers);
    void (*data)(void *arg, uint32_t id, const void *data, size_t len, bool fin);
    void (*reset)(void *arg, uint32_t id);
    void (*goaway)(void *arg);
    /* A stream of ours was accepted: what was sent on it before would have been dropped. NULL: this side opens none. */
    void (*reply)(void *arg, uint32_t id);
};

struct spdy {
    const struct spdy_events *ev;
    void *arg;
    void (*send)(void *arg, const void *data, size_t len);
    struct buf in;
    z_stream inflate, deflate;
    bool failed;
    uint32_t last_id; /* of the client's streams */
};

void spdy_init(struct spdy *s, const struct spdy_events *ev, void (*send)(void *arg, const void *data, size_t len),
               void *arg);
void spdy_release(struct spdy *s);
/* Takes bytes in and calls the events; s->failed afterwards means the peer broke the protocol. */
void spdy_input(struct spdy *s, const void *data, size_t len);
/* A stream with these headers (names in lower case): its id. */
uint32_t spdy_open(struct spdy *s, const struct spdy_header *headers, size_t count);
void spdy_data(struct spdy *s, uint32_t id, const void *data, size_t len, bool fin);
void spdy_reset(struct spdy *s, uint32_t id, uint32_t status);
void spdy_goaway(struct spdy *s);

#endif
