/* pool.h - a worker pool for work that blocks (formatting, mounting, spawning).
 *
 * A job's `run` cannot fail and runs unlocked on a worker thread; its result travels inside `arg`. A pool of 0
 * threads runs jobs inline (tests). pool_free() waits for queued jobs. THREADS: safe from any thread. */
#ifndef STOWAGE_BASE_POOL_H
#define STOWAGE_BASE_POOL_H

struct pool;

struct pool *pool_new(const char *name, unsigned max_threads); /* threads start on demand, end when idle */
void pool_free(struct pool *p);
void pool_submit(struct pool *p, void (*run)(void *arg), void *arg);

#endif
