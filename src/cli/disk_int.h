/* disk_int.h - private to `stowage disk`: how its answers are printed. */
#ifndef STOWAGE_CLI_DISK_INT_H
#define STOWAGE_CLI_DISK_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

void disk_print_list(const json_t *disks, bool wide);
void disk_print_snapshots(const json_t *snapshots);
void disk_print_glass(const json_t *glass); /* the answer to "disk-show"; see app/glass.h */
/* "9.8Gi", "24Ki": the largest unit that leaves a number of one or more. */
void disk_size_text(int64_t bytes, char out[32]);

#endif
