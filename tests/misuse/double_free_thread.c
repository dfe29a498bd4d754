/* Two threads free the same block. */
#include "misuse.h"
#include <pthread.h>

static void *run(void *block) {
    free(block);
    return NULL;
}

int main(void) {
    check_start();
    void *p = announce(malloc(100)), *neighbour = malloc(100);
    pthread_t t;
    if (pthread_create(&t, NULL, run, p) == 0) {
        pthread_join(t, NULL);
    }
    free(hide(p));
    settle();
    free(neighbour);
    return 0;
}
