/* Allocates a little and ends; what it writes to stderr is hakmem's doing. Options come from the environment. */
#include "misuse.h"

int main(void) {
    check_start();
    void *small = malloc(100), *large = malloc(3000000);
    int ok = small && large;
    free(small);
    free(large);
    return ok ? 0 : 1;
}
