/* crowd.h - how many want this machine's processors: time that waits for something to happen is counted by it. */
#ifndef STOWAGE_SYS_CROWD_H
#define STOWAGE_SYS_CROWD_H

#include <stdint.h>

/* Tasks that run or could, for each processor: at least 1, and 8 where there are more. Source: proc_loadavg(5). */
double crowd_now(void);
/* So many milliseconds as they would have been on a machine that nobody else uses. */
int64_t crowd_share(int64_t ms);

#endif
