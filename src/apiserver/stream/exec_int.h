/* exec_int.h - a session of exec or attach: a process's descriptors on one side, a protocol on the other. */
#ifndef STOWAGE_APISERVER_STREAM_EXEC_INT_H
#define STOWAGE_APISERVER_STREAM_EXEC_INT_H

#include "apiserver/stream/wire_int.h"
#include "apiserver/waker_int.h"
#include "registry/node_ops.h"

#include <stdatomic.h>

struct exec_run;

enum exec_channel { CHANNEL_STDOUT = 1, CHANNEL_STDERR = 2 };

/* What a protocol does for the session (exec_ws.c, exec_spdy.c). */
struct exec_proto {
    void (*begin)(struct exec_run *x);
    void (*input)(struct exec_run *x);       /* bytes are in x->wire.in: understand them, call exec_*() below */
    bool (*ready)(const struct exec_run *x); /* everything the client must open is open: the process may start */
    void (*output)(struct exec_run *x, enum exec_channel ch, const void *data, size_t len);
    /* The end: `status` is the JSON Status, `plain` the text for old protocols ("" on success). */
    void (*end)(struct exec_run *x, const char *status, const char *plain);
    bool (*closed)(const struct exec_run *x); /* the client has taken its leave as well */
    void (*release)(struct exec_run *x);
};

struct exec_run {
    const struct exec_proto *proto;
    const struct node_ops *ops;
    void *ops_self;
    bool attach, want_stdin, want_stdout, want_stderr, tty;
    char *ns, *pod, *container; /* owned */
    struct strlist argv;
    struct wire wire;
    void *state;           /* the protocol's own */
    int64_t quiet_until;   /* mono ms: nothing is sent before; 0: at once. The process starts meanwhile */
    struct waker *waker;   /* borrowed */
    struct wake first;     /* armed while the process starts, which is waited for */
    _Atomic int64_t heard; /* mono ms: when the client first said something meanwhile; 0: it did not */
    int version;           /* of the protocol: 1..5 */
    bool base64;           /* WebSocket: text messages */
    bool answers_pings;    /* WebSocket: the client is known to */
    int64_t pinged;        /* WebSocket: mono ms */
    /* the process */
    bool started;
    struct exec_session s;
    struct buf stdin_queue;
    bool stdin_ended;
    int rows, cols; /* last size asked for, 0 = none */
};

/* -- called by protocols -- */
void exec_stdin(struct exec_run *x, const void *data, size_t len);
void exec_stdin_end(struct exec_run *x);
/* The client takes no output (nor its end) before that moment (mono ms), unless an earlier call said something sooner.
 */
void exec_hold_output(struct exec_run *x, int64_t until);
/* When the client said what is understood now (mono ms). */
int64_t exec_heard(const struct exec_run *x);
/* {"Width":111,"Height":33} */
void exec_resize(struct exec_run *x, const char *json, size_t len);

/* -- the protocols: they answer the handshake and go on in exec_main() -- */
/* A session of these node operations (borrowed), with no stream, name or word yet. exec_free() when done. */
struct exec_run *exec_new(const struct request *rq, const struct node_ops *ops, void *ops_self);
void exec_main(struct upgraded *up, void *run);
void exec_free(void *run);
void exec_ws_open(struct request *rq, struct exec_run *x);
void exec_spdy_open(struct request *rq, struct exec_run *x);

/* -- the rows of stream_routes[] -- */
void exec_open(struct request *rq);
void attach_open(struct request *rq);
void forward_open(struct request *rq);

#endif
