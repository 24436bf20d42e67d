/* resident.c - see resident.h.
 *
 * A process that is forked to wait for its time has mapped what its parent's start touched, and counts it as its own.
 * DESIGN: segments that are not writable hold nothing but what stands in their files, so the kernel may forget them;
 * those that are writable (among them what the loader relocated and then protected) are left alone. */
#include "base/resident.h"

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static int drop_object(struct dl_phdr_info *info, size_t size, void *page)
{
    (void)size;
    const uintptr_t mask = *(const uintptr_t *)page - 1;
    if (*info->dlpi_name && *info->dlpi_name != '/')
        return 0; /* the kernel's own */
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || p->p_flags & PF_W)
            continue;
        const uintptr_t from = (info->dlpi_addr + p->p_vaddr) & ~mask;
        const uintptr_t to = (info->dlpi_addr + p->p_vaddr + p->p_filesz + mask) & ~mask;
        madvise((void *)from, to - from, MADV_DONTNEED);
    }
    return 0;
}

void resident_drop_program(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    dl_iterate_phdr(drop_object, &page);
}
