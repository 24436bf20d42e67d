/* seal.h - a cluster that its users may only read from some moment on: an exam's (apiserver_seal()). The moment is kept
 * in the data directory, so it holds for a cluster that was killed and started again, too. THREADS: any. */
#ifndef STOWAGE_APP_SEAL_H
#define STOWAGE_APP_SEAL_H

#include "app/cluster.h"

/* Seconds since 1970. Told to the API server after it is on disk; one that comes before it stays. */
int seal_set(struct cluster *c, int64_t at, struct err *e);
/* What was kept, told to an API server that has just started. */
void seal_resume(const char *data_dir, struct apiserver *api);
/* May this be asked of the control socket or the console now? "pass" in a request: it is the judge's. */
int seal_allows(struct cluster *c, const json_t *request, struct err *e);
/* Does a seal, that has come or will come, concern who asks this? */
bool seal_binds(struct cluster *c, const json_t *request);

#endif
