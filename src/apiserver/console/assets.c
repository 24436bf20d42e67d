/* assets.c - see assets.h.
 *
 * One file, written by web/build.mjs and included by the assembler: a line "name<TAB>type<TAB>bytes" each, an empty
 * line, and then the files' bytes in the same order. An empty file: the console was left out. */
#include "apiserver/console/assets.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

__asm__(".section .rodata\n"
        ".balign 8\n"
        "console_pack_len:\n"
        ".quad console_pack_end - console_pack\n"
        "console_pack:\n"
        ".incbin \"" EMBED_FILE "\"\n"
        "console_pack_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const char console_pack[];
extern const uint64_t console_pack_len;

bool assets_exist(void)
{
    return console_pack_len > 0;
}

bool asset_find(const char *name, struct asset *out)
{
    const char *end = assets_exist() ? strstr(console_pack, "\n\n") : NULL, *data = end ? end + 2 : NULL;
    size_t n = strlen(name);
    for (const char *line = console_pack; end && line < end;) {
        const char *type = strchr(line, '\t') + 1, *size = strchr(type, '\t') + 1;
        char *next;
        size_t len = strtoul(size, &next, 10);
        if ((size_t)(type - line) == n + 1 && memcmp(line, name, n) == 0) {
            *out = (struct asset){line, type, n, (size_t)(size - type) - 1, data, len};
            return true;
        }
        data += len;
        line = next + 1;
    }
    return false;
}
