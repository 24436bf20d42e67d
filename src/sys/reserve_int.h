/* reserve_int.h - a little room kept aside for the day on which the machine's filesystem is full. Private to sys. */
#ifndef STOWAGE_SYS_RESERVE_INT_H
#define STOWAGE_SYS_RESERVE_INT_H

#include <stdint.h>

/* Looks at the filesystem of `dir`; returns how many bytes are free. The reserve beside it, <dir>.reserve, is made
 * while there is plenty, and given back when there is nothing left: a volume that hit the end writes no more, and what
 * else lives there (the journal of the API server) can go on. */
int64_t reserve_look(const char *dir);

#endif
