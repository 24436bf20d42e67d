/* quantity.h - resource.Quantity: "100Mi", "1.5Gi", "500m", "1e3". Exact; canonical text as Kubernetes prints it. */
#ifndef STOWAGE_API_QUANTITY_H
#define STOWAGE_API_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

enum quantity_format { QF_BINARY_SI, QF_DECIMAL_SI, QF_DECIMAL_EXPONENT };
struct quantity {
    __int128 nano;  /* value in units of 1e-9; saturates like the real one's int64 bounds (±(2^63-1)) */
    enum quantity_format format;
};
#define QUANTITY_TEXT_LEN 64

/* 0, or -1 when it does not match the real server's grammar. */
int quantity_parse(const char *s, struct quantity *out);
/* Canonical form (1024Mi -> 1Gi, 0.5 -> 500m). */
void quantity_format(const struct quantity *q, char out[QUANTITY_TEXT_LEN]);
int quantity_cmp(const struct quantity *a, const struct quantity *b);
/* Rounded up to a whole unit, as Quantity.Value(). */
int64_t quantity_value(const struct quantity *q);
int64_t quantity_milli(const struct quantity *q);
void quantity_from_bytes(int64_t v, struct quantity *out); /* BinarySI */
void quantity_add(struct quantity *a, const struct quantity *b);
void quantity_sub(struct quantity *a, const struct quantity *b);
/* Shorthand: bytes of "3Gi"; dflt when absent or malformed. */
int64_t quantity_bytes(const char *s, int64_t dflt);

#endif
