/* os/os_clock.c : the kernel's own clock function, in the page that it maps into every process. Libraries that lie about the time (libfaketime)
 * stand before libc's, hold a lock in there that fork() does not know of, and a child that asks from within malloc would wait for ever.
 * Owns       the function's address          Threads  any
 * Source     vdso(7), elf(5)                 Test     stress/clock_fork */
#include "os/os_clock.h"
#include "base/atomic.h"
#include "base/kernel.h"
#include "base/text.h"
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

#ifdef __x86_64__
static const char symbol_name[] = "__vdso_clock_gettime";
#else
static const char symbol_name[] = "__kernel_clock_gettime";
#endif

static int kernel_clock(clockid_t id, struct timespec *t) {
    return (int)hak_kernel3(SYS_clock_gettime, (uintptr_t)id, (uintptr_t)t, 0);
}

static const void *symbol_in(const char *image, const Elf64_Shdr *symbols, const char *names) {
    const Elf64_Sym *s = (const Elf64_Sym *)(image + symbols->sh_offset);
    for (size_t i = 0; i < symbols->sh_size / sizeof *s; i++) {
        if (s[i].st_shndx != SHN_UNDEF && text_starts(names + s[i].st_name, symbol_name, sizeof symbol_name)) {
            return image + s[i].st_value;
        }
    }
    return 0;
}

/* Sections and not the dynamic table: that names no number of symbols where it has a GNU hash only. Its addresses start at 0. */
static const void *find(const char *image) {
    const Elf64_Ehdr *head = (const Elf64_Ehdr *)image;
    const void *p = 0;
    if (!image || !text_starts(image, ELFMAG, SELFMAG) || head->e_shentsize != sizeof(Elf64_Shdr)) {
        return 0;
    }
    const Elf64_Shdr *section = (const Elf64_Shdr *)(image + head->e_shoff);
    for (unsigned i = 0; i < head->e_shnum && !p; i++) {
        if (section[i].sh_type == SHT_DYNSYM && section[i].sh_link < head->e_shnum) {
            p = symbol_in(image, &section[i], image + section[section[i].sh_link].sh_offset);
        }
    }
    return p;
}

int os_clock(clockid_t id, struct timespec *t) {
    static os_clock_function *found; /* atomic: every writer writes the same */
    os_clock_function *f = hak_load_rlx(&found);
    if (!f) {
        int saved =
            errno; /* getauxval() sets it where there is no such page, and free() may be what asks for the time */
        const void *p = find((const char *)getauxval(AT_SYSINFO_EHDR));
        errno = saved;
        f = kernel_clock;
        if (p) {
            memcpy(&f, &p, sizeof f);
        }
        hak_store_rlx(&found, f);
    }
    return f(id, t);
}
