/* sha256.h - SHA-256 (FIPS 180-4): object names that real clusters derive from it, and content digests. */
#ifndef STOWAGE_BASE_SHA256_H
#define STOWAGE_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t state[8];
    uint64_t total; /* bytes so far */
    uint8_t block[64];
};
#define SHA256_LEN      32
#define SHA256_TEXT_LEN 65

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t n);
void sha256_finish(struct sha256 *s, uint8_t out[SHA256_LEN]);
/* Lower-case hex of the digest, NUL included. */
void sha256_hex(struct sha256 *s, char out[SHA256_TEXT_LEN]);

#endif
