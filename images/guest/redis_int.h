/* redis_int.h - what the two halves of the guest's redis share: commands (redis.c), connections and files
 * (redis_server.c). */
#ifndef STOWAGE_GUEST_REDIS_INT_H
#define STOWAGE_GUEST_REDIS_INT_H

#include "redis_store.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#define CLIENTS_MAX 128

struct client {
    int fd;
    char *in; /* owned */
    size_t len, cap;
    bool authorized;
};
struct redis_server {
    int port;
    bool appendonly;
    char dir[256], password[128];
    FILE *aof;
    struct client clients[CLIENTS_MAX];
    long changes;
};
extern struct redis_server server;
extern volatile sig_atomic_t redis_ending;
void redis_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* An answer under way. */
struct reply {
    char *data; /* owned */
    size_t len, cap;
};
void reply_line(struct reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct call {
    struct text *argv;
    size_t argc;
    struct client *client; /* NULL while the log is read */
    struct reply *reply;
};
void redis_execute(struct call *c);

#endif
