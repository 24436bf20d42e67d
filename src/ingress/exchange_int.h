/* exchange_int.h - one client's connection. Private to ingress. */
#ifndef STOWAGE_INGRESS_EXCHANGE_INT_H
#define STOWAGE_INGRESS_EXCHANGE_INT_H

#include "ingress/route_int.h"

#include <stdbool.h>
#include <stdint.h>

struct ingress;
/* Serves the connection until it ends; takes the descriptor. */
void exchange_run(struct ingress *in, int take_fd, bool tls, const char *client);

/* -- of ingress.c: any thread -- */
struct table *ingress_table(struct ingress *in); /* a reference */
void ingress_table_drop(struct ingress *in, struct table *t);
gnutls_certificate_credentials_t ingress_fake(struct ingress *in); /* borrows */
int ingress_dial(struct ingress *in, const char *ip, uint16_t port);
unsigned ingress_turn(struct ingress *in);
int ingress_stop_fd(const struct ingress *in);
uint16_t ingress_port(const struct ingress *in, bool tls);

#endif
