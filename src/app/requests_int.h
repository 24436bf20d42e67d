/* requests_int.h - private to app: the tables of answers to the control socket. How to add an answer: a row in one. */
#ifndef STOWAGE_APP_REQUESTS_INT_H
#define STOWAGE_APP_REQUESTS_INT_H

#include "app/cluster.h"
#include "base/str.h"

struct request_op {
    const char *op; /* NULL ends a table */
    int (*run)(struct cluster *c, const json_t *request, json_t **out, int fds[4], struct err *e);
};

/* -- requests_job.c: what takes long -- */
struct request_job;
typedef int (*request_job_fn)(struct request_job *j, struct strlist *lines, struct err *e);
struct request_job {
    struct cluster *cluster;
    json_t *request; /* owned; a copy */
    json_t *result;  /* owned; an object to be filled */
    int pipe, file;  /* owned; file: of the job, -1 = none */
    request_job_fn run;
};
/* Takes `file` when it succeeds. */
int request_job_start(struct cluster *c, const json_t *r, request_job_fn run, int file, json_t **out, int fds[4],
                      struct err *e);

extern const struct request_op disk_request_ops[];       /* requests_disk.c */
extern const struct request_op clock_request_ops[];      /* requests_clock.c */
extern const struct request_op node_request_ops[];       /* requests_node.c */
extern const struct request_op image_request_ops[];      /* requests_image.c */
extern const struct request_op why_request_ops[];        /* requests_why.c */
extern const struct request_op checkpoint_request_ops[]; /* requests_checkpoint.c */
extern const struct request_op lab_request_ops[];        /* requests_lab.c */
extern const struct request_op class_request_ops[];      /* requests_class.c */

#endif
