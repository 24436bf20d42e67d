/* guest_data.c - the static guest program of the built-in images (images/guest), put into our own binary by the
 * assembler. CMake builds the program first, adds up its digest, and names the file in EMBED_FILE
 * (cmake/Embed.cmake). */
#include "images/images_int.h"

__asm__(".section .rodata\n"
        ".balign 16\n"
        ".global guest_program\n"
        "guest_program:\n"
        ".incbin \"" EMBED_FILE "\"\n"
        "guest_program_end:\n"
        ".balign 8\n"
        ".global guest_program_size\n"
        "guest_program_size:\n"
        ".quad guest_program_end - guest_program\n"
        ".global guest_digest\n"
        "guest_digest:\n"
        ".incbin \"" EMBED_FILE ".sha256\", 0, 64\n"
        ".byte 0\n"
        ".previous\n");
