/* privileges.h - what the API process gives up once the node helper runs. */
#ifndef STOWAGE_APP_PRIVILEGES_H
#define STOWAGE_APP_PRIVILEGES_H

/* Keeps only what serving files and ports needs (CAP_DAC_OVERRIDE, CAP_NET_BIND_SERVICE): no mounts, namespaces, raw
 * devices or tracing from here on. Call while there is one thread: the others inherit it. Best effort: an unprivileged
 * process has nothing to drop. The node helper, started before, keeps its own. */
void privileges_drop(void);

#endif
