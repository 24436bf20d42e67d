/* client_int.h - the API process's side of the real machine. Private to sys. */
#ifndef STOWAGE_SYS_CLIENT_INT_H
#define STOWAGE_SYS_CLIENT_INT_H

#include "sys/chan.h"
#include "sys/machine.h"
#include "sys/ops_int.h"
#include "sys/wire.h"

#include <pthread.h>

struct waiter;
struct link { /* a channel to the helper or to a node */
    struct link *next;
    char *node; /* owned; "" = the helper */
    int fd;     /* open until the machine is closed */
    bool alive, expected_end;
    struct waiter *waiters; /* requests in flight */
};
struct happening { /* something to tell from the event thread */
    struct happening *next;
    bool is_death;
    struct exit_info exit; /* of a death only `node` counts */
};
struct real {
    struct machine machine;     /* first */
    pid_t helper_pid, door_pid; /* door_pid: 0 = there is no such process */
    char *data_dir;             /* owned */
    struct machine_info info;
    pthread_t reader, teller;
    int epoll, wake[2];

    pthread_mutex_t mu; /* guards all below, and links and waiters */
    struct link *links;
    uint32_t last_id;
    bool closing;
    struct happening *first, *last;
    pthread_cond_t told;
    void (*on_exit)(void *arg, const struct exit_info *info);
    void *on_exit_arg;
    bool telling; /* a callback runs */
    pthread_cond_t told_one;
    void (*on_death)(void *arg, const char *node);
    void *on_death_arg;
};

/* One request. Zero it with CALL_INIT, pack `body`, do it, read `in`, release. */
struct call {
    struct buf body;
    struct msg reply;
    struct wire_in in; /* the reply's payload */
};
#define CALL_INIT                                                                                                      \
    (struct call)                                                                                                      \
    {                                                                                                                  \
        .reply = MSG_INIT                                                                                              \
    }
#define _auto_call_ __attribute__((cleanup(call_release)))
void call_release(struct call *c);
/* node: "" = the helper. */
int call_do(struct machine *m, const char *node, enum op op, struct call *c, struct err *e);
struct link *link_add(struct real *r, const char *node, int take_fd);
struct link *link_find(struct real *r, const char *node);

struct real *real_of(struct machine *m);

/* client_ops.c: requests as calls. */
extern const struct machine_ops client_ops;
int client_layer_unpack(struct machine *m, const struct layer_spec *spec, struct layer_result *out, struct err *e);
int client_layer_remove(struct machine *m, const char *dir, struct err *e); /* client_layer.c */
void client_close(struct machine *m);                                       /* client.c */
void client_on_exit(struct machine *m, void (*fn)(void *arg, const struct exit_info *info), void *arg);
void client_on_death(struct machine *m, void (*fn)(void *arg, const char *node), void *arg);

#endif
