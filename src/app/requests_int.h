/* requests_int.h - private to app: the tables of answers to the control socket. How to add an answer: a row in one. */
#ifndef STOWAGE_APP_REQUESTS_INT_H
#define STOWAGE_APP_REQUESTS_INT_H

#include "app/cluster.h"

struct request_op {
    const char *op; /* NULL ends a table */
    int (*run)(struct cluster *c, const json_t *request, json_t **out, int fds[4], struct err *e);
};

extern const struct request_op disk_request_ops[];  /* requests_disk.c */
extern const struct request_op clock_request_ops[]; /* requests_clock.c */
extern const struct request_op node_request_ops[];  /* requests_node.c */
extern const struct request_op image_request_ops[]; /* requests_image.c */
extern const struct request_op why_request_ops[];   /* requests_why.c */

#endif
