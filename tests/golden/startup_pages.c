/* startup_pages.c : a program with one block has written to two pages of the library's file: what the loader relocates, and the small data.
 * Decision   docs/decisions/019 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_KIB = 8 };

static long written_kib(void) {
    static char line[512];
    unsigned long from, to;
    long sum = 0, kib;
    int ours = 0;
    FILE *f = fopen("/proc/self/smaps", "r");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            ours = strstr(line, "libhakmem.so") != 0;
        } else if (ours && sscanf(line, "Anonymous: %ld kB", &kib) == 1) {
            sum += kib;
        }
    }
    return sum;
}

int main(void) {
    char *volatile p = malloc(32);
    long kib = written_kib();
    printf("%ld KiB of the library's pages are written to\n", kib);
    free(p);
    return kib > 0 && kib <= MOST_KIB ? 0 : 1;
}
