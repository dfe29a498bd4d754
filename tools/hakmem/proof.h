/* proof.h : what the probe library (tools/probe) wrote about the processes of a run, and whether it is what was asked for. */
#ifndef HAKMEM_PROOF_H
#define HAKMEM_PROOF_H

#include "gate_table.h"
#include <jansson.h>
#include <sys/types.h>

/* A file in memory that the probe can append to: its descriptor, and in path (at least 64 bytes) the name for HAK_PROBE. */
int proof_open(char *path, size_t size);
/* The records written so far as an array; the file is emptied. Lines that are damaged are left out. */
json_t *proof_take(int fd);

/* The name of the program that a process was when it ended, as the kernel keeps it: at most 15 bytes, "" when unknown. Call it before the process is waited for. */
void proof_last_name(pid_t pid, char name[16]);
/* Were all processes served by library ("" for libc), and were the settings in force when they started and when they ended? NULL if so;
 * otherwise what was found instead. main is the process that was started, name its last name. */
char *proof_problem(const json_t *records, pid_t main, const char *name, const char *library,
                    const struct settings *settings);

/* What a record says in short: the served program's name and the object behind malloc. */
const char *proof_text(const json_t *record, const char *field);
/* The last record of that process with that event, or NULL. */
const json_t *proof_of(const json_t *records, pid_t pid, const char *event);
/* Seconds from the start of the process's constructors to its end, without exec and the loader before and the kernel's clearing up after; NAN when
 * it told no end. */
double proof_inside(const json_t *records, pid_t pid);
/* The largest peak of resident memory of any process, bytes; 0: unknown. */
double proof_peak_rss(const json_t *records);

#endif
