/* elf_file.c : reading ELF without a library: headers, notes, symbol tables. Every offset is checked, for the files are anybody's. */
#include "elf_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The fields of 32 and 64 bit headers that we use, in one shape. */
struct segment {
    uint32_t type;
    uint64_t offset, size;
};
struct section {
    uint32_t name, type, link;
    uint64_t offset, size;
};

static bool inside(const struct elf_file *elf, uint64_t offset, uint64_t size) {
    return offset <= elf->size && size <= elf->size - offset;
}

/* Copies size bytes at offset, zeroes when they are not in the file. */
static bool fetch(const struct elf_file *elf, uint64_t offset, void *out, size_t size) {
    memset(out, 0, size);
    if (!inside(elf, offset, size)) {
        return false;
    }
    memcpy(out, elf->bytes + offset, size);
    return true;
}

static const char *string_at(const struct elf_file *elf, uint64_t offset) {
    if (offset >= elf->size || !memchr(elf->bytes + offset, 0, elf->size - offset)) {
        return NULL;
    }
    return (const char *)elf->bytes + offset;
}

static struct segment segment_at(const struct elf_file *elf, uint16_t i) {
    if (elf->wide) {
        Elf64_Ehdr e;
        Elf64_Phdr p;
        fetch(elf, 0, &e, sizeof e);
        fetch(elf, e.e_phoff + (uint64_t)i * e.e_phentsize, &p, sizeof p);
        return (struct segment){p.p_type, p.p_offset, p.p_filesz};
    }
    Elf32_Ehdr e;
    Elf32_Phdr p;
    fetch(elf, 0, &e, sizeof e);
    fetch(elf, e.e_phoff + (uint64_t)i * e.e_phentsize, &p, sizeof p);
    return (struct segment){p.p_type, p.p_offset, p.p_filesz};
}

static struct section section_at(const struct elf_file *elf, uint32_t i) {
    if (elf->wide) {
        Elf64_Ehdr e;
        Elf64_Shdr s;
        fetch(elf, 0, &e, sizeof e);
        fetch(elf, e.e_shoff + (uint64_t)i * e.e_shentsize, &s, sizeof s);
        return (struct section){s.sh_name, s.sh_type, s.sh_link, s.sh_offset, s.sh_size};
    }
    Elf32_Ehdr e;
    Elf32_Shdr s;
    fetch(elf, 0, &e, sizeof e);
    fetch(elf, e.e_shoff + (uint64_t)i * e.e_shentsize, &s, sizeof s);
    return (struct section){s.sh_name, s.sh_type, s.sh_link, s.sh_offset, s.sh_size};
}

static void counts(const struct elf_file *elf, uint16_t *segments, uint16_t *sections, uint16_t *names) {
    if (elf->wide) {
        Elf64_Ehdr e;
        fetch(elf, 0, &e, sizeof e);
        *segments = e.e_phnum, *sections = e.e_shnum, *names = e.e_shstrndx;
    } else {
        Elf32_Ehdr e;
        fetch(elf, 0, &e, sizeof e);
        *segments = e.e_phnum, *sections = e.e_shnum, *names = e.e_shstrndx;
    }
}

static void read_segments(struct elf_file *elf) {
    uint16_t segments, sections, names;
    counts(elf, &segments, &sections, &names);
    for (uint16_t i = 0; i < segments; i++) {
        struct segment s = segment_at(elf, i);
        if (s.type == PT_INTERP) {
            elf->interpreter = string_at(elf, s.offset);
        }
        if (s.type != PT_DYNAMIC) {
            continue;
        }
        elf->has_dynamic = true;
        for (uint64_t at = 0; elf->wide && at + sizeof(Elf64_Dyn) <= s.size; at += sizeof(Elf64_Dyn)) {
            Elf64_Dyn d;
            if (fetch(elf, s.offset + at, &d, sizeof d) && d.d_tag == DT_FLAGS_1) {
                elf->is_pie = (d.d_un.d_val & DF_1_PIE) != 0;
            }
        }
    }
    uint64_t table = section_at(elf, names).offset;
    for (uint16_t i = 0; i < sections; i++) {
        const char *name = string_at(elf, table + section_at(elf, i).name);
        if (name && (strcmp(name, ".note.go.buildid") == 0 || strcmp(name, ".go.buildinfo") == 0)) {
            elf->is_go = true;
        }
    }
}

bool elf_open(struct elf_file *elf, const char *path) {
    *elf = (struct elf_file){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        int error = errno;
        if (fd >= 0) {
            close(fd);
        }
        errno = error;
        return false;
    }
    void *map = st.st_size >= (off_t)sizeof(Elf32_Ehdr) && S_ISREG(st.st_mode)
                    ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
                    : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : ENOEXEC;
        return false;
    }
    elf->bytes = map;
    elf->size = (size_t)st.st_size;
    const uint8_t *id = elf->bytes;
    const uint8_t order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
    if (memcmp(id, ELFMAG, SELFMAG) != 0 || id[EI_DATA] != order ||
        (id[EI_CLASS] != ELFCLASS32 && id[EI_CLASS] != ELFCLASS64)) {
        elf_close(elf);
        errno = ENOEXEC;
        return false;
    }
    elf->wide = id[EI_CLASS] == ELFCLASS64;
    memcpy(&elf->type, id + 16, 2); /* at the same place in both */
    memcpy(&elf->machine, id + 18, 2);
    read_segments(elf);
    return true;
}

void elf_close(struct elf_file *elf) {
    if (elf->bytes) {
        munmap((void *)(uintptr_t)elf->bytes, elf->size);
    }
    *elf = (struct elf_file){0};
}

static bool symbols_of(const struct elf_file *elf, const struct section *table,
                       bool (*visit)(void *context, const char *name, uint64_t value, uint64_t size), void *context) {
    uint64_t strings = section_at(elf, table->link).offset;
    size_t each = elf->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    for (uint64_t at = 0; at + each <= table->size; at += each) {
        Elf64_Sym s;
        if (elf->wide) {
            fetch(elf, table->offset + at, &s, sizeof s);
        } else {
            Elf32_Sym narrow;
            fetch(elf, table->offset + at, &narrow, sizeof narrow);
            s = (Elf64_Sym){narrow.st_name,  narrow.st_info,  narrow.st_other,
                            narrow.st_shndx, narrow.st_value, narrow.st_size};
        }
        unsigned type = ELF64_ST_TYPE(s.st_info);
        if (s.st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_OBJECT && type != STT_GNU_IFUNC)) {
            continue;
        }
        const char *name = string_at(elf, strings + s.st_name);
        if (name && !visit(context, name, s.st_value, s.st_size)) {
            return false;
        }
    }
    return true;
}

void elf_symbols(const struct elf_file *elf, bool all,
                 bool (*visit)(void *context, const char *name, uint64_t value, uint64_t size), void *context) {
    uint16_t segments, sections, names;
    counts(elf, &segments, &sections, &names);
    for (uint16_t i = 0; i < sections; i++) {
        struct section s = section_at(elf, i);
        if ((s.type == SHT_DYNSYM || (all && s.type == SHT_SYMTAB)) && !symbols_of(elf, &s, visit, context)) {
            return;
        }
    }
}

struct search {
    const char *name;
    uint64_t value, size;
    bool found;
};

static bool search_visit(void *context, const char *name, uint64_t value, uint64_t size) {
    struct search *s = context;
    if (strcmp(name, s->name) != 0) {
        return true;
    }
    s->value = value, s->size = size, s->found = true;
    return false;
}

bool elf_defines(const struct elf_file *elf, const char *symbol, bool all) {
    struct search s = {.name = symbol};
    elf_symbols(elf, all, search_visit, &s);
    return s.found;
}

uint64_t elf_address(const struct elf_file *elf, const char *symbol, uint64_t *size) {
    struct search s = {.name = symbol};
    elf_symbols(elf, true, search_visit, &s);
    if (size) {
        *size = s.size;
    }
    return s.value;
}

bool elf_contains(const struct elf_file *elf, const char *text) {
    return memmem(elf->bytes, elf->size, text, strlen(text)) != NULL;
}

static const struct {
    uint16_t machine;
    const char *name;
} machines[] = {
    {EM_X86_64, "x86-64"}, {EM_386, "i386"},         {EM_AARCH64, "AArch64"}, {EM_ARM, "ARM"},
    {EM_RISCV, "RISC-V"},  {EM_PPC64, "PowerPC 64"}, {EM_S390, "S/390"},
};

const char *elf_machine_name(uint16_t machine) {
    static char other[24];
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        if (machines[i].machine == machine) {
            return machines[i].name;
        }
    }
    snprintf(other, sizeof other, "machine %u", machine);
    return other;
}

uint16_t elf_own_machine(void) {
    struct elf_file self;
    uint16_t machine = 0;
    if (elf_open(&self, "/proc/self/exe")) {
        machine = self.machine;
        elf_close(&self);
    }
    return machine;
}
