/* resident.h - what a process that rests keeps in memory. */
#ifndef STOWAGE_BASE_RESIDENT_H
#define STOWAGE_BASE_RESIDENT_H

/* How long a process has nothing to do before it rests. */
#define RESIDENT_REST_MS 1000

/* Gives back the pages of the program's and its libraries' code: most of it was only needed to start. What is needed
 * again is mapped again, from the page cache. THREADS: any; costs each a few faults. */
void resident_drop_program(void);

#endif
