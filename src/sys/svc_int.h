/* svc_int.h - services inside the cluster network: a process of the helper that owns their addresses, relays TCP to
 * pods and answers names. Private to sys. */
#ifndef STOWAGE_SYS_SVC_INT_H
#define STOWAGE_SYS_SVC_INT_H

#include "base/err.h"

#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* Forks the process; *out_sock takes its tables (chan.h, body: one text). */
int svc_start(int *out_sock, struct err *e);

/* -- relay.c: accepted connections -- */
struct relay;
/* Takes `client`; connects it to the address. */
void relay_add(struct relay **list, int take_client, const struct sockaddr_in *to);
/* What to wait for: adds to `p` (room for `max`), returns how many. */
size_t relay_poll(struct relay *list, struct pollfd *p, size_t max);
/* The same order as relay_poll() gave. Drops what has ended. */
void relay_work(struct relay **list, const struct pollfd *p, size_t count);
#define RELAY_FDS 2 /* entries a relay takes */

/* -- dns.c: one question, one answer -- */
/* names: object, text -> array of addresses. Returns the answer's length, 0 = none. */
size_t dns_answer(const json_t *names, const uint8_t *query, size_t len, uint8_t *out, size_t size);

#endif
