/* run_static_prog.c : linked statically: nothing can be preloaded into it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    void *p = malloc(100);
    printf("%d\n", p != NULL);
    free(p);
    if (argc > 1) {
        sleep((unsigned)atoi(argv[1]));
    }
    return 0;
}
