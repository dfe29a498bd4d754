/* free() of static storage. */
#include "misuse.h"

static char variable[64] __attribute__((aligned(64)));

int main(void) {
    check_start();
    free(announce(variable));
    return 0;
}
