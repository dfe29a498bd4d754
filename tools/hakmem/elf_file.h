/* elf_file.h : what the command line needs to know of an ELF file: its kind, its loader, what it needs, which symbols it defines. */
#ifndef HAKMEM_ELF_FILE_H
#define HAKMEM_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A 32 or 64 bit ELF file of this machine's byte order, mapped read-only. */
struct elf_file {
    const uint8_t *bytes;
    size_t size;
    bool wide;                /* 64 bit */
    uint16_t type, machine;   /* ET_*, EM_* */
    const char *interpreter;  /* PT_INTERP, or NULL: static (or a library) */
    bool has_dynamic, is_pie; /* PT_DYNAMIC; DF_1_PIE */
    bool is_go;               /* built by Go's tools */
};

/* false with errno: ENOEXEC when the file is not ELF. */
bool elf_open(struct elf_file *elf, const char *path);
void elf_close(struct elf_file *elf);

/* Calls visit for each defined function or object of .dynsym (and .symtab when all), until it returns false. */
void elf_symbols(const struct elf_file *elf, bool all,
                 bool (*visit)(void *context, const char *name, uint64_t value, uint64_t size), void *context);
bool elf_defines(const struct elf_file *elf, const char *symbol, bool all);
/* Its address in the file's own space, in .dynsym or .symtab; 0: not there. */
uint64_t elf_address(const struct elf_file *elf, const char *symbol, uint64_t *size);
/* Does the file hold these bytes anywhere? For programs without symbols. */
bool elf_contains(const struct elf_file *elf, const char *text);
/* "x86-64", "AArch64": the machine's name for people. */
const char *elf_machine_name(uint16_t machine);
/* The machine of this tool. */
uint16_t elf_own_machine(void);

#endif
