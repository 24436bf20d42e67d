/* dns_int.h - one question, one answer. Private to sys; dns.c tells what the zone looks like. */
#ifndef STOWAGE_SYS_DNS_INT_H
#define STOWAGE_SYS_DNS_INT_H

#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Writes the answer into `out` (cleared before); false: no question, say nothing. */
bool dns_answer(const json_t *zone, const uint8_t *query, size_t len, bool by_tcp, struct buf *out);

#endif
