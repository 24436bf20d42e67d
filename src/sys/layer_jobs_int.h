/* layer_jobs_int.h - the helper's children that unpack and remove image layers. Private to sys. */
#ifndef STOWAGE_SYS_LAYER_JOBS_INT_H
#define STOWAGE_SYS_LAYER_JOBS_INT_H

#include "sys/ops_int.h"
#include "sys/wire.h"

#include <stdint.h>
#include <sys/types.h>

struct layer_job_child;
struct layer_jobs {
    struct layer_job_child *first; /* owned */
};

/* Starts the request's child: it answers on `sock` for itself. */
void layer_jobs_start(struct layer_jobs *jobs, const char *images, int sock, uint32_t id, enum op op,
                      struct wire_in *in);
/* A child of the helper ended; if it was one of these and did not answer, it is answered for. */
void layer_jobs_ended(struct layer_jobs *jobs, int sock, pid_t pid, int status);

#endif
