/* free() of garbage by a thread that has not allocated anything yet. */
#include "misuse.h"
#include <pthread.h>

static void *run(void *arg) {
    free(announce(arg));
    return NULL;
}

int main(void) {
    check_start();
    static char variable[32];
    pthread_t t;
    if (pthread_create(&t, NULL, run, variable) == 0) {
        pthread_join(t, NULL);
    }
    return 0;
}
