/* quantity.h - resource.Quantity: "100Mi", "1.5Gi", "500m", "1e3". Exact; canonical text as Kubernetes prints it. */
#ifndef STOWAGE_API_QUANTITY_H
#define STOWAGE_API_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

enum quantity_format { QF_BINARY_SI, QF_DECIMAL_SI, QF_DECIMAL_EXPONENT };
__extension__ typedef __int128 quantity_nano;
struct quantity {
    quantity_nano nano; /* value in units of 1e-9; BinarySI saturates at ±(2^63-1) units, others at 1.7e29 */
    enum quantity_format format;
    bool verbatim;    /* the real server gives the parsed text back unchanged ("50.Mi", "1.234") */
    bool below_milli; /* has digits below 1e-3 */
};
#define QUANTITY_TEXT_LEN 64

/* 0, or -1 when it does not match the real server's grammar. */
int quantity_parse(const char *s, struct quantity *out);
/* Why quantity_parse() refuses `s`, in the real server's words; NULL if it does not. */
const char *quantity_refusal(const char *s);
/* Canonical form (1024Mi -> 1Gi, 0.5 -> 500m). */
void quantity_format(const struct quantity *q, char out[QUANTITY_TEXT_LEN]);
/* The text the real server answers for the text `s` it was sent: canonical, or `s` itself where Kubernetes keeps it.
 * `milli`: members of a ResourceList, which are rounded up to thousandths. -1 if `s` is no quantity. */
int quantity_text(const char *s, bool milli, char out[QUANTITY_TEXT_LEN]);
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
