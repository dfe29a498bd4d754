/* bench_sys.h : what the bench harness asks of the kernel and the loader. Only bench.c uses it. */
#ifndef HAK_BENCH_SYS_H
#define HAK_BENCH_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes the path of the file whose malloc serves this process. */
void bench_sys_allocator(char *path, size_t size);

/* Instructions and branches in user mode, of this process and the threads it starts. A machine may have no
 * counters: then stop() says false. stop() adds to the totals. */
void bench_sys_counters_open(void);
void bench_sys_counters_start(void);
bool bench_sys_counters_stop(uint64_t total[2]);

/* Lets VmHWM begin again at what is resident now (Linux 4.0 and later; otherwise it stays the process's peak). */
void bench_sys_reset_peak(void);

#endif
