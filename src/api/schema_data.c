/* schema_data.c - the schema texts (src/api/schema, joined by the build) inside the binary.
 *
 * The assembler includes the file and counts it, so no generated C source exists. When you add a text file: nothing to
 * do, the build globs. */
#include "api/schema_int.h"

#include <stdint.h>

__asm__(".section .rodata\n"
        ".global schema_text_start\n"
        ".global schema_text_len\n"
        ".balign 8\n"
        "schema_text_len:\n"
        ".quad schema_text_end - schema_text_start\n"
        "schema_text_start:\n"
        ".incbin \"" EMBED_FILE "\"\n"
        "schema_text_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const char schema_text_start[];
extern const uint64_t schema_text_len;

const char *schema_text(size_t *out_len)
{
    *out_len = (size_t)schema_text_len;
    return schema_text_start;
}
