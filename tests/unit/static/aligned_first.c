/* aligned_first.c : asks for aligned memory alone; libc's own needs ask for the rest. */
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    char *volatile p = aligned_alloc(64, 640);
    p[639] = 1;
    puts(((size_t)p & 63) == 0 ? "ok" : "bad");
    return 0;
}
